"""Durations as people type them."""

from __future__ import annotations

from typing import Final

from runbook import units
from scripts.exits import UsageError

# Seconds. What is longer means for ever, which no option does.
YEAR: Final = 366 * 86400


def seconds(text: str) -> int:
    """The seconds that ``text`` means, e.g. ``90s``, ``15m``, ``1h30m``, ``2d``.

    Raises:
        UsageError: it is no duration, less than a second or more than a year.
    """
    try:
        total = units.seconds(text)
    except units.TooLongError:
        total = YEAR + 1
    except ValueError:
        raise UsageError(f"{text!r} is no duration; write it like 90s, 15m, 1h30m or 2d") from None
    if total < 1:
        raise UsageError(f"{text!r} is less than a second; give at least 1s")
    if total > YEAR:
        raise UsageError(f"{text!r} is more than a year; give at most 366d")
    return int(total)
