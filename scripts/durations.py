"""Durations as people type them."""

from __future__ import annotations

import re
from typing import Final

from scripts.exits import UsageError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART: Final = re.compile(r"(\d+)([smhd])")


def seconds(text: str) -> int:
    """The seconds that ``text`` means, e.g. ``90s``, ``15m``, ``1h30m``, ``2d``.

    Raises:
        UsageError: it is no duration above zero.
    """
    parts = _PART.findall(text)
    total = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if total <= 0 or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is no duration; write it like 90s, 15m, 1h30m or 2d")
    return total
