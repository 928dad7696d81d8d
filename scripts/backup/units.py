"""Sizes and times as people read them."""

from __future__ import annotations


def size(number: float) -> str:
    """Bytes in the unit that keeps the number short, e.g. ``12.3 MB``; units are powers of ten."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(number) < 1000:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} PB"


def duration(seconds: float) -> str:
    """Seconds in the two largest units, e.g. ``3.2 s``, ``4 min 10 s``, ``26 h 5 min``, ``3 d 4 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    hours = int(seconds // 3600)
    return f"{hours} h {int(seconds % 3600 // 60)} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
