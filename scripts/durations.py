"""Durations as people type them."""

from __future__ import annotations

from runbook import units
from scripts.exits import UsageError


def seconds(text: str) -> int:
    """The seconds that ``text`` means, e.g. ``90s``, ``15m``, ``1h30m``, ``2d``.

    Raises:
        UsageError: it is no duration, or less than a second.
    """
    try:
        total = units.seconds(text)
    except ValueError:
        total = 0
    if total < 1:
        raise UsageError(f"{text!r} is no duration; write it like 90s, 15m, 1h30m or 2d")
    return int(total)
