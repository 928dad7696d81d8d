"""Reads the stack's settings: ``Pulumi.<stack>.yaml``, and for an embedded stack the file of its environment."""

from __future__ import annotations

import difflib
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import ValidationError

from runbook import services
from runbook.environment import EnvironmentFile
from runbook.formats import shown
from runbook.settings import IMAGE_NAMES, Settings, SettingsError, load

ENVIRONMENT_VARIABLE: Final = "CRYPTO_ENVIRONMENT_FILE"
SERVICE_IMAGE: Final = "sample-service"
# The one setting that is no part of the model: where the rest of an embedded stack's settings comes from.
_EMBEDDED: Final = "embedded"
# How a value is read, by its type; every other type is an object, which the engine hands over as JSON.
_READERS: Final[Mapping[type, Callable[[pulumi.Config, str], Any]]] = {
    str: pulumi.Config.get,
    bool: pulumi.Config.get_bool,
    int: pulumi.Config.get_int,
    float: pulumi.Config.get_float,
}
_WANTED: Final[Mapping[type, str]] = {
    bool: "must be true or false",
    int: "must be a whole number",
    float: "must be a number",
}


def read(config: pulumi.Config, model: type[Settings] = Settings) -> Settings:
    """The stack's settings. The fields of ``model`` say which there are and how each is read.

    Raises:
        SettingsError: one line for each thing to mend.
    """
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    wrong = _unknown_keys(config.name, {*fields, _EMBEDDED})
    values: dict[str, Any] = {}
    for key, annotation in fields.items():
        try:
            value = _read_one(config, key, annotation)
        except SettingsError as error:
            wrong.append(str(error))
            continue
        # Pulumi.yaml gives an optional text the default "": a key without a default must be set.
        if value not in (None, ""):
            values[key] = value
    if wrong:
        raise SettingsError("\n".join(wrong))
    if _read_one(config, _EMBEDDED, bool):
        values = with_environment(values, read_environment(_environment_path()))
    return load(values, model)


def _unknown_keys(project: str, known: Set[str]) -> list[str]:
    """A line for each key that no reader asks for: a misspelt one would else be ignored without a word."""
    given = (key.partition(":") for key in sorted({**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}))
    return [
        f"{project}:{key} is no setting of this program; remove it or mend its spelling{_like(key, known)}"
        for namespace, _, key in given
        if namespace == project and key not in known
    ]


def _like(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1)
    return f" (is it {near[0]}?)" if near else ""


def _environment_path() -> Path:
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if not named:
        raise SettingsError(
            f"crypto:embedded is true, but {ENVIRONMENT_VARIABLE} is not set; "
            'run `make up`, then `eval "$(make -s env)"` in this shell'
        )
    return Path(named)


def _read_one(config: pulumi.Config, key: str, annotation: Any) -> Any:
    try:
        return _READERS.get(_type(annotation), pulumi.Config.get_object)(config, key)
    except pulumi.ConfigTypeError:
        wanted = _WANTED.get(_type(annotation), "must be a mapping or a list, as JSON")
        raise SettingsError(f"crypto:{key} is {shown(config.get(key))}: {wanted}") from None


def _type(annotation: Any) -> type:
    """The one type of ``_READERS`` that a field's values have, None apart; else object."""
    parts = get_args(annotation)
    match get_origin(annotation):
        case None:
            return next((base for base in getattr(annotation, "__mro__", ()) if base in _READERS), object)
        case typing.Annotated:
            return _type(parts[0])
        case typing.Union | types.UnionType:
            found = {_type(part) for part in parts if part is not types.NoneType}
        case typing.Literal:
            found = {_type(type(part)) for part in parts}
        case _:
            return object
    return found.pop() if len(found) == 1 else object


def read_environment(path: Path) -> EnvironmentFile:
    """What the embedded environment says of itself.

    Raises:
        SettingsError: the file is not there or not whole.
    """
    try:
        return EnvironmentFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise SettingsError(f"{ENVIRONMENT_VARIABLE} names {path}, which is not there; `make up` writes it") from None
    except ValidationError:
        raise SettingsError(
            f"{ENVIRONMENT_VARIABLE}: {path} is not whole; run `make up`, which writes it anew"
        ) from None


def with_environment(values: Mapping[str, Any], environment: EnvironmentFile) -> dict[str, Any]:
    """The settings with what the environment decides. One sample image plays all five services."""
    service_images = {name: environment.images.get(SERVICE_IMAGE, "") for name in services.BY_NAME}
    images = {**service_images, **{name: ref for name, ref in environment.images.items() if name in IMAGE_NAMES}}
    backup = dict(values.get("backup", {}))
    if environment.backup_public_key:
        backup["publicKey"] = environment.backup_public_key
    if environment.backup_signers:
        backup["signers"] = {name: [key] for name, key in environment.backup_signers.items()}
    return {
        **values,
        "backup": backup,
        "images": images,
        "kubeContext": environment.kube_context,
        "aws": {**values.get("aws", {}), "endpoint": environment.aws_endpoint},
    }
