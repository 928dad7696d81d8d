"""Plain data without its secrets: objects of Kubernetes, results, and what is written as JSON or YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from scripts.redact import manifests, names
from scripts.redact.names import Kind
from scripts.redact.rules import MASK
from scripts.redact.text import clean
from scripts.redact.values import Value, secret

_WORDS: Final = ("args", "command")
_FINDING: Final = frozenset({"name", "status", "took"})
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
    return {clean(str(key)): _field(fields, str(key), value) for key, value in fields.items()}


def _field(fields: Mapping[object, object], key: str, value: object) -> object:
    if key in manifests.FIELDS and fields.get("kind") in manifests.SECRETS and isinstance(value, Mapping):
        return {clean(str(name)): MASK for name in cast("Mapping[object, object]", value)}
    if key in _WORDS and isinstance(value, list | tuple):
        return _arguments(cast("Sequence[object]", value))
    # A variable of a container: its name stands beside its value. A finding has both, too, and names what it looked at.
    pair = key in ("value", "Value") and not fields.keys() >= _FINDING
    named = str(fields.get("name", fields.get("Name", ""))) if pair else key
    return _named(named, value)


def _named(name: str, value: object) -> object:
    kind = names.kind(name)
    if isinstance(value, list | tuple):
        parts = cast("Sequence[object]", value)
        return [_named(name, part) if names.names_secret(name) else plain(part) for part in parts]
    if kind in _HEADERS and isinstance(value, str):
        return clean(f"{name}: {value}")[len(name) + 2 :]
    if (
        isinstance(value, bool)
        or not isinstance(value, str | int)
        or (isinstance(value, int) and kind is not Kind.PASSWORD)
    ):
        return plain(value)
    return MASK if secret(Value(0, 0, str(value), quoted=True), kind) else plain(value)


def _arguments(given: Sequence[object]) -> list[object]:
    """Words of a command line: the one after an option that names a secret is masked."""
    return [
        MASK
        if str(before).startswith("-") and not word.startswith("-") and word and names.names_secret(str(before))
        else plain(value)
        for before, value, word in zip(("", *given), given, map(str, given), strict=False)
    ]
