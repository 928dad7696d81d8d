"""Reads the stack's settings: ``Pulumi.<stack>.yaml``, and for an embedded stack the file of its environment."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import ValidationError

from runbook import services
from runbook.environment import EnvironmentFile
from runbook.settings import IMAGE_NAMES, Settings, SettingsError, load

ENVIRONMENT_VARIABLE: Final = "CRYPTO_ENVIRONMENT_FILE"
SERVICE_IMAGE: Final = "sample-service"
_TEXT_KEYS: Final = (
    "environmentName",
    "owner",
    "domain",
    "namespace",
    "kubeContext",
    "timeZone",
    "storageClass",
    "imagePullSecret",
)
_OBJECT_KEYS: Final = (
    "images",
    "services",
    "postgres",
    "pgbouncer",
    "redis",
    "kafka",
    "backup",
    "aws",
    "secrets",
    "ingress",
    "certificates",
    "monitoring",
    "alerting",
    "notifications",
    "access",
    "network",
)
_EMBEDDED: Final = "embedded"
_FLAG_KEYS: Final = ("protect", "maintenance", "adoptNamespace")


def read(config: pulumi.Config) -> Settings:
    """The stack's settings.

    Raises:
        SettingsError: one line for each thing to mend.
    """
    unknown = _unknown_keys(config.name)
    if unknown:
        raise SettingsError("\n".join(unknown))
    values: dict[str, Any] = {}
    readers: tuple[tuple[tuple[str, ...], Callable[[str], Any]], ...] = (
        (_TEXT_KEYS, config.get),
        (_OBJECT_KEYS, config.get_object),
        (_FLAG_KEYS, config.get_bool),
    )
    for keys, reader in readers:
        for key in keys:
            value = _read_one(reader, key)
            # Pulumi.yaml gives an optional text the default "": a key without a default must be set.
            if value not in (None, ""):
                values[key] = value
    if _flag(config, _EMBEDDED):
        values = with_environment(values, read_environment(_environment_path()))
    return load(values)


def _unknown_keys(project: str) -> list[str]:
    """A line for each key that no reader asks for: a misspelt one would else be ignored without a word."""
    known = {*_TEXT_KEYS, *_OBJECT_KEYS, *_FLAG_KEYS, _EMBEDDED}
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


def _flag(config: pulumi.Config, key: str) -> bool:
    return bool(_read_one(config.get_bool, key))


def _read_one(reader: Callable[[str], Any], key: str) -> Any:
    try:
        return reader(key)
    except pulumi.ConfigTypeError:
        raise SettingsError(f"crypto:{key} has the wrong type; Pulumi.yaml says what it must be") from None


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
    return {
        **values,
        "backup": backup,
        "images": images,
        "kubeContext": environment.kube_context,
        "aws": {**values.get("aws", {}), "endpoint": environment.aws_endpoint},
    }
