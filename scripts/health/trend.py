"""How a check has stood in the last reports, in a few characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from scripts.health.history import Point
from scripts.health.model import Status

_BARS: Final = "▁▂▃▄▅▆▇█"
_MARKS: Final = {Status.OK: ".", Status.WARN: "!", Status.UNKNOWN: "?", Status.FAIL: "x"}
_FIGURE: Final = re.compile(r"(-?\d+(?:\.\d+)?)(%| days left|)")


def text(points: Sequence[Point]) -> str:
    """The points as bars where all of them are figures of one unit, else as a mark for each status; oldest first.

    Empty for fewer than two points.
    """
    if len(points) < 2:
        return ""
    figures = [_FIGURE.fullmatch(point.value) for point in points]
    if all(figures) and len({found[2] for found in figures if found}) == 1:
        return bars([float(found[1]) for found in figures if found])
    return "".join(_MARKS[point.status] for point in points)


def bars(numbers: Sequence[float]) -> str:
    """A bar for each number, from the least to the greatest; equal ones are all low."""
    least, most = min(numbers), max(numbers)
    span = most - least
    return "".join(_BARS[round((number - least) / span * (len(_BARS) - 1)) if span else 0] for number in numbers)
