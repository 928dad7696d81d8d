"""The line of a value in a manifest: only documents with findings are read for it, by the reader of all others."""

from __future__ import annotations

from policies.plain import Plain
from policies.sources.composing import Lines


def line_of(value: Plain, lines: Lines, path: str) -> int:
    """The line of the place that a judgement calls ``path``, or of what is there of the way to it; from 0 on.

    A key may have dots in it, so every split is tried.
    """
    if isinstance(lines, int):
        return lines
    line, within = lines
    if isinstance(within, dict) and isinstance(value, dict):
        ways = ((key, _after(path, key)) for key in within)
        found = [line_of(value[key], within[key], rest) for key, rest in ways if rest is not None]
        return max([line, *found])
    if isinstance(within, list) and isinstance(value, list) and path.startswith("["):
        label, _, rest = path[1:].partition("]")
        for position, element in enumerate(value):
            if label == _label(element, position):
                return line_of(element, within[position], rest.removeprefix("."))
    return line


def _after(path: str, key: str) -> str | None:
    """What of the path remains below the key; None where the path does not lead there."""
    if not path.startswith(key):
        return None
    rest = path[len(key) :]
    if rest.startswith("."):
        return rest[1:]
    return rest if not rest or rest.startswith("[") else None


def _label(element: Plain, position: int) -> str:
    name = element.get("name") if isinstance(element, dict) else None
    return name if isinstance(name, str) else str(position)
