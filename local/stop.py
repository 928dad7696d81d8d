"""How work that goes on in several threads is ended from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Stop:
    """A request to end: work looks for it between two steps, or leaves word how it is ended."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._asked = False
        self._ends: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """Whether the work is to end."""
        return self._asked

    def ask(self) -> None:
        """Have all of it end."""
        with self._guard:
            self._asked = True
            ends, self._ends = self._ends, []
        for end in ends:
            end()

    def calls(self, end: Callable[[], None]) -> None:
        """Call ``end`` when the stop is asked for; at once where it was already."""
        with self._guard:
            if not self._asked:
                self._ends.append(end)
                return
        end()
