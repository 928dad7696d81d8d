"""What stands in the place of a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

MASK: Final = "***"


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern, compiled when a text first needs it: all of them together take longer than a short command."""
    return re.compile(pattern, flags)


def replaced(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """``text`` with the mask in the place of each span; they are in order, and one inside another does not count."""
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if start >= done:
            parts += (text[done:start], MASK)
            done = end
    return "".join((*parts, text[done:])) if done else text
