"""Property values of the engine as plain data and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from local.aws.provider.errors import ProviderError

Values = dict[str, Any]
"""Properties of one resource by their names in the SDK's wire form (camelCase); an unknown one is `UNKNOWN`."""

__all__ = ["UNKNOWN", "Values", "has_unknown", "plain_values", "property_values", "secret_names"]


def plain_values(properties: Mapping[str, PropertyValue]) -> Values:
    """`properties` without their wrapping; null ones are left out. Secrets become plain: see `secret_names`."""
    plain = {name: _plain(value) for name, value in properties.items() if not name.startswith("__")}
    return {name: value for name, value in plain.items() if value is not None}


def secret_names(*properties: Mapping[str, PropertyValue]) -> frozenset[str]:
    """The top-level names whose value is or contains a secret in any of `properties`; `tagsAll` follows `tags`."""
    found = frozenset(name for values in properties for name, value in values.items() if value.contains_secret())
    return found | {"tagsAll"} if "tags" in found else found


def property_values(values: Mapping[str, Any], secrets: frozenset[str] = frozenset()) -> dict[str, PropertyValue]:
    """Wrap `values` for the engine, marking those named in `secrets`."""
    return {name: _wrapped(value).with_secret(name in secrets) for name, value in values.items() if value is not None}


def has_unknown(value: object) -> bool:
    """Whether `value` is unknown or contains an unknown value at any depth."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in cast("Mapping[str, object]", value).values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(has_unknown(item) for item in cast("Sequence[object]", value))
    return value == UNKNOWN


def _plain(wrapped: PropertyValue) -> Any:
    value: Any = wrapped.value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Mapping):
        items = cast("Mapping[str, PropertyValue]", value).items()
        return {name: _plain(item) for name, item in items if item.value is not None}
    if isinstance(value, Sequence):
        return [_plain(item) for item in cast("Sequence[PropertyValue]", value)]
    raise ProviderError(f"a value of type {type(value).__name__} is not supported by the embedded aws provider")


def _wrapped(value: Any) -> PropertyValue:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return PropertyValue({name: _wrapped(item) for name, item in items})
    if isinstance(value, (list, tuple)):
        return PropertyValue([_wrapped(item) for item in cast("Sequence[Any]", value)])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)
