"""Reading a stack's configuration of the pack from its file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

from policies.configuring.configuration import LEVEL_KEY, Configuration, ConfigurationError, configuration
from policies.configuring.schema import schema
from policies.model import Rule
from runbook import duplicates

# The engine tells its plugin what a file says, not where it lies: paths in it are relative to the pack.
_PACK: Final = Path(__file__).resolve().parents[1]
_KINDS: Final[dict[type[object], str]] = {
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def read(path: Path, rules: Iterable[Rule]) -> Configuration:
    """The configuration in a file as the engine's ``--policy-pack-config`` takes it.

    Raises:
        ConfigurationError: the file cannot be read, is no JSON, has a key twice, or says what the schema refuses.
    """
    known = tuple(rules)
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text or "{}")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from None
    if twice := duplicates.complaint(text):
        raise ConfigurationError(f"{path}: {twice}")
    if not isinstance(given, dict):
        kind = _KINDS.get(type(cast("object", given)), "null")
        raise ConfigurationError(f"{path}: {kind}; allowed: an object with the rules' names as keys")
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
