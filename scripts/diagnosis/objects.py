"""Kubernetes objects as YAML, without what is secret and without what nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import yaml

from scripts import redact

# The last applied configuration repeats the object with its values as they were typed.
_DROPPED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def as_yaml(found: Any) -> str:
    """An object as YAML."""
    return yaml.safe_dump(redact.plain(_read(found)), sort_keys=False, allow_unicode=True, width=1000)


def _read(found: Any) -> Any:
    """What people read of an object."""
    if isinstance(found, Mapping):
        fields = cast("Mapping[str, Any]", found).items()
        return {key: _read(value) for key, value in fields if key not in ("managedFields", _DROPPED_ANNOTATION)}
    return [_read(value) for value in cast("list[Any]", found)] if isinstance(found, list) else found
