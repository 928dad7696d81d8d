"""Work that is done side by side: the first error ends all of it and is the one that is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from local.stop import Stop

Result = TypeVar("Result")


class Together:
    """Threads beside the body of a ``with``, which is part of the work.

    Where one of them fails, ``stop`` asks the others to end, and leaving the ``with`` raises that first error. The
    errors of the stopped ones are dropped.
    """

    def __init__(self) -> None:
        self.stop = Stop()
        self._guard = threading.Lock()
        self._first: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        """Begin some work in a thread of its own."""
        future: Future[Result] = Future()
        thread = threading.Thread(target=self._do, args=(work, future), daemon=True)
        self._threads.append(thread)
        thread.start()
        return future

    def _do(self, work: Callable[[], Result], future: Future[Result]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - a thread's error would be lost; the body raises it
            self._failed(error)
            future.set_exception(error)
        else:
            future.set_result(result)

    def _failed(self, error: BaseException) -> None:
        with self._guard:
            if self._first is None:
                self._first = error
        self.stop.ask()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            self._failed(value)
        for thread in self._threads:
            thread.join()
        if self._first is not None and self._first is not value:
            raise self._first from None
