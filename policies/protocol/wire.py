"""Properties on the wire: into plain data, and changed in place for a remediation."""

from __future__ import annotations

from sys import intern
from typing import Final, cast

from google.protobuf import struct_pb2

from policies.plain import (
    SECRET,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    Marker,
    Path,
    Plain,
    to_plain,
)

# What a rule cannot read and no message may show: an asset, an archive, a reference.
_OPAQUE: Final = "<asset>"


def plain(properties: struct_pb2.Struct) -> dict[str, Plain]:
    """The properties as the rules see them: secrets and unknowns are marks, and the SDK is not asked."""
    return {intern(key): _plain(value) for key, value in properties.fields.items()}


def _plain(value: struct_pb2.Value) -> Plain:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE_KEY in fields:
            return SECRET if fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE else _OPAQUE
        return {intern(key): _plain(element) for key, element in fields.items()}
    if kind == "list_value":
        return [_plain(element) for element in value.list_value.values]
    if kind is None or kind == "null_value":
        return None
    return to_plain(getattr(value, kind))


def change(properties: struct_pb2.Struct, path: Path, wanted: Plain) -> bool:
    """Sets the value at ``path``, making the maps on the way; whether anything is different now.

    Nothing is touched at or behind a secret, an asset or what is not yet known: on the wire these are maps and texts
    like any other, and what is written into them is lost or worse.
    """
    first, *rest = path
    value = properties.fields[cast("str", first)]
    for step in rest:
        below = _below(value, step)
        if below is None:
            return False
        value = below
    there = _plain(value)
    if isinstance(there, Marker) or there == wanted:
        return False
    fresh = struct_pb2.Struct()
    fresh.update({"": cast("str", wanted)})
    value.CopyFrom(fresh.fields[""])
    return True


def _below(value: struct_pb2.Value, step: str | int) -> struct_pb2.Value | None:
    kind = value.WhichOneof("kind")
    if isinstance(step, int):
        elements = value.list_value.values
        return elements[step] if kind == "list_value" and step < len(elements) else None
    if kind in (None, "null_value"):
        value.struct_value.SetInParent()
    elif kind != "struct_value" or SIGNATURE_KEY in value.struct_value.fields:
        return None
    return value.struct_value.fields[step]
