"""Limits as people write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from runbook.thresholds import Threshold, Unit
from runbook.units import exact_duration, exact_size


def value(threshold: Threshold) -> str:
    """A threshold's value as people write it: 80%, 200 ms, 4 GiB, 30 days."""
    return _FORMATS[threshold.unit](threshold.value)


_FORMATS: Final[Mapping[Unit, Callable[[float], str]]] = {
    Unit.RATIO: lambda number: f"{number * 100:g}%",
    Unit.SECONDS: exact_duration,
    Unit.MILLISECONDS: lambda number: f"{number:g} ms",
    Unit.BYTES: lambda number: exact_size(int(number)),
    Unit.DAYS: lambda number: f"{number:g} days",
    Unit.COUNT: lambda number: f"{int(number):,}",
}
