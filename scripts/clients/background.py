"""Work beside the main thread that no end of the process waits for.

Threads of an executor are joined when the interpreter ends: one that waits for a server that never answers would keep
the process long after its deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

_T = TypeVar("_T")


def start(name: str, work: Callable[[], _T], answer: Future[_T] | None = None) -> Future[_T]:
    """Run ``work`` in a daemon thread of that name; what it returns or raises is the future's.

    With ``answer`` it is that future, so that a caller who is stopped before this returns has it, too.
    """
    answer = answer or Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is asked for
            answer.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer


def within(seconds: float, works: Sequence[tuple[str, Callable[[], _T]]]) -> list[_T | None]:
    """What named works return that run side by side, in their order; None where one takes longer than ``seconds``."""
    futures = [start(name, work) for name, work in works]
    wait(futures, seconds)
    return [future.result() if future.done() else None for future in futures]
