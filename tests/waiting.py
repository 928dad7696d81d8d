"""Waiting for a condition: the only way in which tests let time pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# Ends a wait for what never comes. It says nothing of how long it should take: other work may have the machine.
_SECONDS: Final = 120.0
_FIRST_PAUSE_SECONDS: Final = 0.01
_LONGEST_PAUSE_SECONDS: Final = 0.5


def wait_until(condition: Callable[[], object], what: str, seconds: float = _SECONDS) -> None:
    """Returns once the condition holds; fails with ``what``, said as it should be, where it does not in time."""
    end, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, pause * 1.5)
