"""Kubernetes objects as YAML, without what is secret and without what nobody reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import yaml

from scripts import redact

# The last applied configuration repeats the object with its values as they were typed.
_DROPPED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def as_yaml(found: Any) -> str:
    """An object as YAML."""
    return yaml.safe_dump(stripped(found), sort_keys=False, allow_unicode=True, width=1000)


def stripped(found: Any) -> Any:
    """An object with the values of secret variables and arguments masked, and without its managers' notes."""
    if isinstance(found, Mapping):
        fields = cast("Mapping[str, Any]", found)
        return {key: _field(fields, key, value) for key, value in fields.items() if key != "managedFields"}
    if isinstance(found, list):
        return [stripped(value) for value in cast("list[Any]", found)]
    return redact.clean(found) if isinstance(found, str) else found


def _field(fields: Mapping[str, Any], key: str, value: Any) -> Any:
    if key in ("args", "command") and isinstance(value, list):
        return _arguments(cast("list[Any]", value))
    if key == "annotations" and isinstance(value, Mapping):
        kept = cast("Mapping[str, Any]", value).items()
        return stripped({name: text for name, text in kept if name != _DROPPED_ANNOTATION})
    # An environment variable: its name stands beside its value.
    named = str(fields.get("name", "")) if key == "value" else key
    return redact.MASK if isinstance(value, str) and value and redact.names_secret(named) else stripped(value)


def _arguments(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    before = ""
    for value in values:
        text = str(value)
        secret = before.startswith("-") and redact.names_secret(before)
        found.append(redact.MASK if secret else redact.clean(text))
        before = text
    return found
