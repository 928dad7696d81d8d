"""Ends a command in good order: on SIGTERM, on Ctrl-C and at its deadline."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from scripts.exits import Exit, Stop

# What cleaning up may take after the deadline before the process ends the hard way.
_GRACE_SECONDS: Final = 20.0


@contextmanager
def limits(deadline: float | None) -> Generator[None]:
    """Raise ``Stop`` in the main thread when the process is told to end or ``deadline`` seconds have passed.

    Only the first signal raises: a second one must not interrupt the cleaning up.
    """
    stopping = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            if number == signal.SIGALRM:
                os._exit(Exit.TEMPORARY)
            return
        stopping = True
        signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)
        if number == signal.SIGALRM:
            raise Stop(f"the deadline of {deadline:g} s has passed; give more with --deadline, or look why it is slow")
        raise Stop(f"ended by {signal.Signals(number).name}; what was begun is undone, run it again")

    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = [signal.signal(number, stop) for number in handled]
    if deadline is not None:
        signal.setitimer(signal.ITIMER_REAL, deadline)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)
