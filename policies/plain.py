"""Resource properties as plain data, with explicit markers for what cannot be read.

The SDK hands out proxies that raise on an unknown value wherever it is touched, that are neither ``list`` nor ``dict``,
and that compare unequal to anything. Rules never see one: they see dicts, lists, scalars and this module's markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias, cast


class Marker(Enum):
    """What stands where a value cannot be read."""

    UNKNOWN = "not yet known"
    SECRET = "a secret"  # noqa: S105  what messages say instead of one
    MISSING = "missing"


UNKNOWN: Final = Marker.UNKNOWN
SECRET: Final = Marker.SECRET
MISSING: Final = Marker.MISSING

Plain: TypeAlias = "bool | int | float | str | Marker | list[Plain] | dict[str, Plain] | None"
Scalar: TypeAlias = "str | int | float | Marker"
Path: TypeAlias = tuple[str | int, ...]

# The engine's wire format. The SDK has the same constants, but importing it costs half a second, which judging an
# exported state need not pay; a test keeps both equal.
UNKNOWN_SENTINELS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  marks a secret, is none
# What `pulumi policy analyze` puts where it cannot decrypt.
_REDACTED: Final = "[secret]"
# The attribute by which the SDK's own serialiser looks behind its proxies.
_TARGET: Final = "__target"
_SECRET_WRAPPER: Final = ("pulumi_policy.secret", "Secret")
_SHOWN_LENGTH: Final = 120


def to_plain(value: object) -> Plain:
    """``value`` without proxies: a proxy, raw properties of the engine, or data from an exported state."""
    if value is None or isinstance(value, (bool, int, float, str, Marker)):
        return _scalar(value)
    if isinstance(value, Mapping):
        return _mapping(cast("Mapping[object, object]", value))
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [to_plain(element) for element in _list_target(cast("Sequence[object]", value))]
    if (type(value).__module__, type(value).__qualname__) == _SECRET_WRAPPER:
        return SECRET
    return f"<{type(value).__name__}>"


def _scalar(value: bool | float | str | Marker | None) -> Plain:
    if isinstance(value, str):
        if value in UNKNOWN_SENTINELS:
            return UNKNOWN
        return SECRET if value == _REDACTED else value
    # The wire knows only doubles: 3 replicas arrive as 3.0.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mapping(value: Mapping[object, object]) -> Plain:
    target = value if isinstance(value, dict) else _mapping_target(value)
    if target.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
        return SECRET
    return {str(key): to_plain(element) for key, element in target.items()}


def _mapping_target(value: Mapping[object, object]) -> Mapping[object, object]:
    try:
        return cast("Mapping[object, object]", value[_TARGET])
    except KeyError:
        return value


def _list_target(value: Sequence[object]) -> Sequence[object]:
    if isinstance(value, (list, tuple)):
        return cast("Sequence[object]", value)
    try:
        return cast("Sequence[object]", value[_TARGET])  # pyright: ignore[reportCallIssue, reportArgumentType] - a proxy
    except TypeError:
        return value


def secret_paths(value: Plain, path: Path = ()) -> Iterator[Path]:
    """Where in ``value`` the secrets lie."""
    if value is SECRET:
        yield path
    elif isinstance(value, dict):
        for key, element in value.items():
            yield from secret_paths(element, (*path, key))
    elif isinstance(value, list):
        for position, element in enumerate(value):
            yield from secret_paths(element, (*path, position))


def mark_secrets(value: Plain, paths: Iterable[Path]) -> Plain:
    """``value`` with SECRET at each of ``paths`` that it has."""
    for path in paths:
        value = _mark(value, path)
    return value


def _mark(value: Plain, path: Path) -> Plain:
    if not path:
        return SECRET
    key, rest = path[0], path[1:]
    if isinstance(value, dict) and isinstance(key, str) and key in value:
        return {**value, key: _mark(value[key], rest)}
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return [*value[:key], _mark(value[key], rest), *value[key + 1 :]]
    return value


def show(value: Plain) -> str:
    """``value`` in one short line for a message; never what a secret holds, never the content of a list or map."""
    if isinstance(value, Marker) or value is None:
        return (value or MISSING).value
    if isinstance(value, str):
        text = value.encode("unicode_escape").decode("ascii")
        return f'"{text[:_SHOWN_LENGTH]}..."' if len(text) > _SHOWN_LENGTH else f'"{text}"'
    if isinstance(value, (list, dict)):
        return f"a {'list' if isinstance(value, list) else 'map'} of {len(value)}"
    return str(value).lower() if isinstance(value, bool) else str(value)


class Node:
    """A place in a resource's properties: ``value`` there, and ``path`` as people write it.

    Walking never raises. Below an unknown or secret value everything is unknown or secret; elsewhere what is not there
    is MISSING, and so is a null. A walk is the inner loop of every rule: the path is put together only when asked for.
    """

    __slots__ = ("_above", "_step", "value")

    def __init__(self, value: Plain, above: Node | None = None, step: tuple[str, ...] | int = ()) -> None:
        self.value = value
        self._above = above
        self._step = step

    @property
    def path(self) -> str:
        """The place as people write it: keys joined by dots, elements of lists by name where they have one."""
        if self._above is None:
            return ""
        above, step = self._above.path, self._step
        if isinstance(step, int):
            return f"{above}[{'*' if self._above.hidden else _label(self.value, step)}]"
        return ".".join((above, *step)) if above else ".".join(step)

    def at(self, *keys: str) -> Node:
        """The place below, by keys of maps."""
        value = self.value
        for key in keys:
            if not isinstance(value, dict):
                value = value if value is UNKNOWN or value is SECRET else MISSING
                break
            value = value.get(key, MISSING)
            if value is None:
                value = MISSING
        return Node(value, self, keys)

    def elements(self) -> tuple[Node, ...]:
        """The elements of a list, by name where they have one. An unknown or secret list has one such element."""
        if isinstance(self.value, list):
            return tuple([Node(element, self, position) for position, element in enumerate(self.value)])
        return (Node(self.value, self, 0),) if self.hidden else ()

    def entries(self) -> tuple[tuple[str, Node], ...]:
        """The entries of a map; none where there is no map."""
        if not isinstance(self.value, dict):
            return ()
        return tuple((key, self.at(key)) for key in self.value)

    @property
    def unknown(self) -> bool:
        """The value will be known later."""
        return self.value is UNKNOWN

    @property
    def hidden(self) -> bool:
        """The value is there but cannot be read."""
        return self.value is UNKNOWN or self.value is SECRET

    @property
    def present(self) -> bool:
        """There is a value, readable or not."""
        return self.value is not MISSING

    @property
    def text(self) -> str | None:
        """The value if it is text."""
        return self.value if isinstance(self.value, str) else None

    @property
    def scalar(self) -> Scalar:
        """The value for sets and keys: a list or map, which cannot stand there, counts as missing."""
        return self.value if isinstance(self.value, (str, int, float, Marker)) else MISSING

    @property
    def number(self) -> int | None:
        """The value if it is a whole number."""
        return self.value if isinstance(self.value, int) and not isinstance(self.value, bool) else None


class Partial(Node):
    """A place in what changes an object that somebody else made: what it does not state is not known.

    The name and the namespace of that object are its own.
    """

    __slots__ = ()

    def at(self, *keys: str) -> Node:
        """The place below; UNKNOWN where nothing is stated."""
        found = super().at(*keys)
        stated = found.value is not MISSING or keys[-1:] in (("name",), ("namespace",))
        return Partial(found.value if stated else UNKNOWN, self, keys)

    def elements(self) -> tuple[Node, ...]:
        """The elements of a list that are stated."""
        if isinstance(self.value, list):
            return tuple([Partial(element, self, position) for position, element in enumerate(self.value)])
        return super().elements()


def _label(element: Plain, position: int) -> str:
    name = element.get("name") if isinstance(element, dict) else None
    return name if isinstance(name, str) else str(position)
