"""Plain data without its secrets: objects of Kubernetes, results, and what is written as JSON or YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from scripts.redact import manifests, names
from scripts.redact.mask import MASK
from scripts.redact.names import Kind
from scripts.redact.text import clean
from scripts.redact.values import Value, checksum, harmless, random

_WORDS: Final = ("args", "command")
# Of these a part stays, which ``clean`` finds behind their name.
_HEADERS: Final = (Kind.HEADER, Kind.COOKIE)


def plain(value: object) -> object:
    """Plain data with every text in it cleaned, and with the values of names of secrets masked.

    Cleaning the parts and not the JSON of the whole leaves the JSON whole.
    """
    if isinstance(value, Mapping):
        return _mapping(cast("Mapping[object, object]", value))
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(found) for found in cast("Iterable[object]", value)]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean(str(value))


def _mapping(fields: Mapping[object, object]) -> dict[str, object]:
    secret = fields.get("kind") in manifests.SECRETS
    return {clean(str(key)): _field(fields, str(key), value, secret=secret) for key, value in fields.items()}


def _field(fields: Mapping[object, object], key: str, value: object, *, secret: bool) -> object:
    if secret and key in manifests.FIELDS and isinstance(value, Mapping):
        return {clean(str(name)): MASK for name in cast("Mapping[object, object]", value)}
    if key in _WORDS and isinstance(value, list | tuple):
        return _arguments(cast("Sequence[object]", value))
    # A variable of a container: its name stands beside its value.
    named = str(fields.get("name", fields.get("Name", ""))) if key in ("value", "Value") else key
    return _named(named, value)


def _named(name: str, value: object) -> object:
    kind = names.kind(name)
    if isinstance(value, list | tuple):
        parts = cast("Sequence[object]", value)
        return [_named(name, part) if names.names_secret(name) else plain(part) for part in parts]
    if kind in _HEADERS and isinstance(value, str):
        return clean(f"{name}: {value}")[len(name) + 2 :]
    return MASK if _is_secret(kind, value) else plain(value)


def _is_secret(kind: Kind, value: object) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int):
        return kind is Kind.PASSWORD
    if not isinstance(value, str) or not value or harmless(Value(0, len(value), value, quoted=True)):
        return False
    if kind in (Kind.PASSWORD, Kind.SECRET, Kind.PHRASE):
        return True
    return random(value) and (kind is Kind.PERHAPS or (kind in (Kind.KEY, Kind.NAMED) and not checksum(value)))


def _arguments(values: Sequence[object]) -> list[object]:
    found: list[object] = []
    before = ""
    for value in values:
        text = str(value)
        secret = before.startswith("-") and names.names_secret(before)
        found.append(MASK if secret and text and not text.startswith("-") else plain(value))
        before = text
    return found
