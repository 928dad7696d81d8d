"""How long something is waited for: as long as it moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

# Longer gaps between two looks count as this: the waiting program itself was suspended, or got no processor.
_LONGEST_GAP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A thing that is given up, and the reason, such as "has not moved for 120 s"."""

    name: str
    reason: str


@dataclass(slots=True)
class _Watched:
    state: Hashable
    looked: float
    still: float = 0.0
    in_all: float = 0.0


class Patience:
    """Gives a thing up once it has not moved for ``still_seconds``.

    A thing that moves for ever (its log grows, it is never ready) is given up after ``in_all_seconds``.
    """

    def __init__(
        self, still_seconds: float, in_all_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._still_seconds = still_seconds
        self._in_all_seconds = in_all_seconds
        self._clock = clock
        self._watched: dict[str, _Watched] = {}

    def look(self, states: Mapping[str, Hashable]) -> GivenUp | None:
        """The first thing to be given up. ``states`` has for each thing a value that changes while the thing moves."""
        now = self._clock()
        for name, state in states.items():
            watched = self._watched.setdefault(name, _Watched(state, now))
            gap = min(now - watched.looked, _LONGEST_GAP_SECONDS)
            watched.looked = now
            watched.in_all += gap
            watched.still = watched.still + gap if watched.state == state else 0.0
            watched.state = state
            if watched.still >= self._still_seconds:
                return GivenUp(name, f"has not moved for {watched.still:.0f} s")
            if watched.in_all >= self._in_all_seconds:
                return GivenUp(name, f"moves, but is not there after {watched.in_all / 60:.0f} min")
        return None
