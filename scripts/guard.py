"""Ends a command in good order: on SIGTERM, on Ctrl-C and at its deadline."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from scripts.exits import Exit, Stop

# What cleaning up may take after the deadline before the process ends the hard way.
_GRACE_SECONDS: Final = 20.0


@contextmanager
def limits(deadline: float | None) -> Generator[Callable[[], None]]:
    """Raise ``Stop`` in the main thread when the process is told to end or ``deadline`` seconds have passed.

    Only the first signal raises: a second one must not interrupt the cleaning up. After the value is called none does:
    what is done must be reported as done.
    """
    stopping = False
    why = ""

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping, why
        if stopping:
            if number == signal.SIGALRM:
                os.write(2, f"ops: {why}; cleaning up did not end within {_GRACE_SECONDS:g} s\n".encode())
                os._exit(Exit.TEMPORARY)
            return
        stopping = True
        signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)
        if number == signal.SIGALRM:
            why = f"the deadline of {deadline:g} s has passed; give more with --deadline, or look why it is slow"
        else:
            why = f"ended by {signal.Signals(number).name}; what was begun is undone, run it again"
        raise Stop(why)

    def done() -> None:
        nonlocal stopping
        stopping = True
        signal.setitimer(signal.ITIMER_REAL, 0)

    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = [signal.signal(number, stop) for number in handled]
    if deadline is not None:
        signal.setitimer(signal.ITIMER_REAL, deadline)
    try:
        yield done
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)
