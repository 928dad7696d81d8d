"""Reading a stack's configuration of the pack from its file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

from policies.configuring.configuration import LEVEL_KEY, Configuration, ConfigurationError, configuration
from policies.configuring.schema import schema
from policies.model import Rule

# The engine tells its plugin what a file says, not where it lies: paths in it are relative to the pack.
_PACK: Final = Path(__file__).resolve().parents[1]


def read(path: Path, rules: Iterable[Rule]) -> Configuration:
    """The configuration in a file as the engine's ``--policy-pack-config`` takes it.

    Raises:
        ConfigurationError: the file cannot be read, is no JSON, or says what the schema does not admit.
    """
    known = tuple(rules)
    try:
        given = json.loads(path.read_text() or "{}")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ConfigurationError(f"{path}: a {type(given).__name__}; allowed: an object with the rules' names as keys")
    _check(path, cast("dict[str, Any]", given), known)
    try:
        return configuration(cast("dict[str, Any]", given), known, _PACK)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _check(path: Path, given: dict[str, Any], rules: tuple[Rule, ...]) -> None:
    import jsonschema  # noqa: PLC0415  a tenth of a second that most runs need not pay

    whole = schema(rules)
    # A name or a level that is not admitted has a sentence of its own, which says more than a schema can.
    named: dict[str, dict[str, Any]] = {
        key: value for key, value in given.items() if key in whole["properties"] and isinstance(value, dict)
    }
    settings = {key: {**value, LEVEL_KEY: "mandatory"} for key, value in named.items() if LEVEL_KEY in value}
    try:
        jsonschema.validate({**named, **settings}, whole, cls=jsonschema.Draft202012Validator)
    except jsonschema.ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise ConfigurationError(f"{path}: {where}: {error.message}") from None
