"""Limits and durations as people write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from runbook.quantity import human_bytes
from runbook.thresholds import Threshold, Unit


def value(threshold: Threshold) -> str:
    """A threshold's value as people write it: 80%, 200 ms, 4 GiB, 30 days."""
    return _FORMATS[threshold.unit](threshold.value)


def seconds(number: float) -> str:
    """Seconds as people write them: 200 ms, 15 min, 2 h."""
    if number < 1:
        return f"{number * 1000:g} ms"
    for size, unit in ((3600, "h"), (60, "min")):
        if number >= 2 * size and number % size == 0:
            return f"{number / size:g} {unit}"
    return f"{number:g} s"


_FORMATS: Final[Mapping[Unit, Callable[[float], str]]] = {
    Unit.RATIO: lambda number: f"{number * 100:g}%",
    Unit.SECONDS: seconds,
    Unit.MILLISECONDS: lambda number: f"{number:g} ms",
    Unit.BYTES: lambda number: human_bytes(int(number)),
    Unit.DAYS: lambda number: f"{number:g} days",
    Unit.COUNT: lambda number: f"{int(number):,}",
}
