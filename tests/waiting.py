"""How tests wait for a condition."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
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


def stop(pid: int) -> None:
    """Have a process stand still: returns once each of its threads does, which on a busy machine comes later."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: _states(pid) == {"T"}, f"process {pid} stands still")


@contextmanager
def stopped(pid: int) -> Generator[None]:
    """A process stands still meanwhile."""
    stop(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states(pid: int) -> set[str]:
    """The states of the threads of a process, by the letter that the kernel has for each."""
    found: set[str] = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        # A thread may end before it is read.
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name in the brackets may have any character.
            found.add((thread / "stat").read_text().rpartition(") ")[2][0])
    return found
