"""Durations as Prometheus and Alertmanager write them, and the times of their own machinery."""

from __future__ import annotations

from typing import Final

# How often a target is asked and a rule is evaluated. What an alert needs to be noticed counts both.
SCRAPE_SECONDS: Final = 30
EVALUATION_SECONDS: Final = 30

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def duration(seconds: int) -> str:
    """Seconds in the largest unit that divides them: ``5m``, ``90s``, ``1d``; ``0s`` for none.

    Raises:
        ValueError: less than zero.
    """
    if seconds < 0:
        raise ValueError(f"a duration of {seconds} s; it must be 0 or more")
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
