"""A document of YAML as the JSON that kubectl makes of it, and the lines of its values.

libyaml finds the events, as its port to Go does for kubectl; what they mean is decided here and in ``scalars``. Of
https://github.com/yaml/go-yaml/blob/v2.4.4/decode.go are: an anchor given anew counts from there on, a merge takes
effect where it stands, tags of lists and maps mean nothing, the last of equal keys counts, and the bound on aliases.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

import yaml

from policies.plain import Plain
from policies.sources import scalars

# Lists and maps within each other; a CustomResourceDefinition has about 50. Every reader of a manifest is recursive.
MOST_NESTED: Final = 200
# Values that aliases stand for, all in all: more than any object has that etcd takes.
MOST_ALIASED: Final = 100_000
# Go's own bound: so many of a document's values may come from aliases, where it has enough of both.
_RATIO, _FEW_ALIASED, _FEW_DECODED = 0.99, 100, 1000

# A line, or the line of a list or map with those of what is in it. Lines count from 0.
Lines: TypeAlias = "int | tuple[int, list[Lines] | dict[str, Lines]]"


class UnreadableError(Exception):
    """A text that kubectl refuses, or that is beyond a bound: one line that says what and where."""


@dataclass(slots=True)
class _Anchored:
    """What an anchor stands for; ``size`` is 0 until all of it has been read."""

    value: Plain = None
    lines: Lines = 0
    size: int = 0
    mapping: bool = False
    scalar: yaml.ScalarEvent | None = None


@dataclass(slots=True)
class _Node:
    value: Plain
    lines: Lines
    # A map, also by way of an alias: what may be merged.
    mapping: bool = False
    # A list that is written out here: whether each of its elements is a map.
    elements: list[bool] | None = None
    # A scalar, also by way of an alias: as a key it is written otherwise than as a value.
    scalar: yaml.ScalarEvent | None = None


def compose(text: bytes) -> Plain:
    """The first document of a text in UTF-8; none is a null.

    Raises:
        UnreadableError: no YAML, or beyond a bound; the line counts from 1.
    """
    return _composed(text, lined=False)[0]


def compose_lines(text: bytes) -> tuple[Plain, Lines]:
    """As ``compose``, with the lines of all values.

    Raises:
        UnreadableError: as ``compose``.
    """
    return _composed(text, lined=True)


def _composed(text: bytes, lined: bool) -> tuple[Plain, Lines]:
    loader = yaml.CSafeLoader(text)
    try:
        return _Composer(loader, lined).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise UnreadableError(f"{where}{error.problem}") from None
    except yaml.YAMLError as error:
        raise UnreadableError(" ".join(str(error).split())) from None
    finally:
        loader.dispose()


class _Composer:
    """One document. Counts as Go's decoder does: each value once, and once more wherever an alias stands for it."""

    def __init__(self, loader: yaml.CSafeLoader, lined: bool) -> None:
        # The stubs call each event and each mark optional.
        self._next: Callable[[], Any] = loader.get_event
        self._lined = lined
        self._anchors: dict[str, _Anchored] = {}
        self._decoded = 1
        self._aliased = 0
        # A key or number was met that JSON does not have: the original minds it where it is still there at the end.
        self._odd = False

    def document(self) -> tuple[Plain, Lines]:
        """The value and its lines."""
        self._next()
        if type(self._next()) is yaml.StreamEndEvent:
            return None, 0
        node = self._node(self._next(), 0)
        self._next()
        if self._odd:
            _check_json(node.value)
        return node.value, node.lines

    def _node(self, event: Any, depth: int) -> _Node:
        kind = cast("type[object]", type(event))
        if kind is yaml.AliasEvent:
            return self._alias(event)
        line: int = event.start_mark.line
        before = self._decoded
        self._decoded += 1
        anchored = _Anchored()
        if event.anchor is not None:
            self._anchors[event.anchor] = anchored
        if kind is yaml.ScalarEvent:
            node = _Node(self._checked(_value(event)), line, scalar=event)
        elif depth >= MOST_NESTED:
            raise UnreadableError(f"line {line + 1}: lists and maps nested deeper than {MOST_NESTED}")
        elif kind is yaml.MappingStartEvent:
            node = self._mapping(line, depth + 1)
        else:
            node = self._sequence(line, depth + 1)
        if event.anchor is not None:
            anchored.value, anchored.lines = node.value, node.lines
            anchored.mapping, anchored.scalar = node.mapping, node.scalar
            anchored.size = self._decoded - before
        return node

    def _alias(self, event: Any) -> _Node:
        found = self._anchors.get(event.anchor)
        where = f"line {event.start_mark.line + 1}: "
        if found is None:
            raise UnreadableError(f"{where}*{event.anchor} names no anchor before it")
        if not found.size:
            raise UnreadableError(f"{where}*{event.anchor} stands within what it stands for")
        self._decoded += 1 + found.size
        self._aliased += found.size
        few = self._aliased <= _FEW_ALIASED or self._decoded <= _FEW_DECODED
        if self._aliased > MOST_ALIASED or (not few and self._aliased / self._decoded > _RATIO):
            raise UnreadableError(
                f"{where}aliases stand for {self._aliased} values; allowed: {MOST_ALIASED}, and 99% of all"
            )
        return _Node(found.value, found.lines, found.mapping, scalar=found.scalar)

    def _checked(self, value: scalars.Scalar) -> scalars.Scalar:
        if type(value) is float and not math.isfinite(value):
            self._odd = True
        return value

    def _sequence(self, line: int, depth: int) -> _Node:
        values: list[Plain] = []
        lines: list[Lines] = []
        mappings: list[bool] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            node = self._node(event, depth)
            values.append(node.value)
            mappings.append(node.mapping)
            if self._lined:
                lines.append(node.lines)
        return _Node(values, (line, lines), elements=mappings)

    def _mapping(self, line: int, depth: int) -> _Node:
        values: dict[str, Plain] = {}
        lines: dict[str, Lines] = {}
        after, lined = self._next, self._lined
        while type(event := after()) is not yaml.MappingEndEvent:
            if _merges(event):
                self._merge(event.start_mark.line, self._node(after(), depth), values, lines)
                continue
            # Most keys and values are bare scalars: this is the inner loop of a check.
            if type(event) is yaml.ScalarEvent and event.tag is None and event.anchor is None and event.implicit[0]:
                self._decoded += 1
                found = _json_key(event.value)
                self._odd = self._odd or found is None
                key = cast("str", found)
            else:
                key = self._key(event, depth)
            value: Any = after()
            held: Lines = 0
            if type(value) is yaml.ScalarEvent and value.tag is None and value.anchor is None:
                self._decoded += 1
                values[key] = self._checked(_json_value(value.value)) if value.implicit[0] else value.value
            else:
                node = self._node(value, depth)
                values[key], held = node.value, node.lines
            if lined:
                at: int = cast("Any", event).start_mark.line
                lines[key] = at if isinstance(held, int) else (at, held[1])
        return _Node(values, (line, lines), mapping=True)

    def _key(self, event: Any, depth: int) -> str:
        """A key as JSON has it. One that it does not have is kept as it is, for the check at the end to find."""
        if _is_bare(event):
            self._decoded += 1
            key = _json_key(event.value) if event.implicit[0] else event.value
        else:
            scalar = self._node(event, depth).scalar
            if scalar is None:
                raise UnreadableError(f"line {event.start_mark.line + 1}: a list or a map is no key")
            key = scalars.key(_raw(scalar))
        if key is None:
            self._odd = True
        return cast("str", key)

    def _merge(self, line: int, node: _Node, values: dict[str, Plain], lines: dict[str, Lines]) -> None:
        """Takes effect at once: keys given before are overwritten, those that follow overwrite."""
        if node.elements is None:
            sources = [(node.mapping, node.value, node.lines)]
        else:
            self._decoded -= 1
            inner = cast("list[Lines]", cast("tuple[int, object]", node.lines)[1])
            # Of several maps, the first that has a key gives it.
            inner = inner or [0] * len(node.elements)
            sources = list(zip(node.elements, cast("list[Plain]", node.value), inner, strict=True))[::-1]
        for mapping, value, held in sources:
            if not mapping:
                raise UnreadableError(f"line {line + 1}: << takes a map, or a list of maps")
            values.update(cast("dict[str, Plain]", value))
            if not isinstance(held, int):
                lines.update(cast("dict[str, Lines]", held[1]))


def _is_bare(event: Any) -> bool:
    return type(event) is yaml.ScalarEvent and event.tag is None and event.anchor is None


def _merges(event: Any) -> bool:
    if type(event) is not yaml.ScalarEvent or event.value != "<<":
        return False
    return bool(event.implicit[0]) or event.tag == scalars.MERGE


def _raw(event: Any) -> scalars.Scalar:
    if event.tag is None:
        return scalars.plain(event.value) if event.implicit[0] else event.value
    try:
        return scalars.tagged(event.tag, event.value)
    except scalars.ScalarError as error:
        raise UnreadableError(f"line {event.start_mark.line + 1}: {error}") from None


def _value(event: Any) -> scalars.Scalar:
    return _normal(_raw(event))


def _normal(value: scalars.Scalar) -> scalars.Scalar:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return scalars.number(value)
    return value


# Manifests say the same few thousand things over and over: each is worked out, and kept, once.
@lru_cache(maxsize=1 << 16)
def _json_value(text: str) -> scalars.Scalar:
    return _normal(scalars.plain(text))


@lru_cache(maxsize=1 << 16)
def _json_key(text: str) -> str | None:
    return scalars.key(scalars.plain(text))


def _check_json(value: Plain) -> None:
    """Refuses what JSON does not have."""
    waiting: list[Plain] = [value]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, float) and not math.isfinite(each):
            raise UnreadableError(f"{each} is a number that JSON does not have")
        if not isinstance(each, (list, dict)) or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, list):
            waiting += each
            continue
        if any(not isinstance(key, str) for key in cast("dict[object, Plain]", each)):
            raise UnreadableError("a key that is null or too great a number")
        waiting += each.values()
