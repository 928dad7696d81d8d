"""How tests wait for a condition."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# Ends a wait for what never comes, where nothing says how long it may take. What is promised within a time says it.
_SECONDS: Final = 120.0
_SHORTEST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 0.5


def wait_until(condition: Callable[[], object], what: str, seconds: float = _SECONDS) -> None:
    """Returns once the condition holds; fails with ``what``, said as it should be, where it does not in time.

    A condition that costs little is asked every 20 ms, so that a moment is not missed; one that costs more, like a run
    of kubectl, gets a third of the time.
    """
    end = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        assert now < end, f"not within {seconds:g} s: {what}"
        time.sleep(min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, 2 * (now - asked))))
