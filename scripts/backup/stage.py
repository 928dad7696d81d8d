"""A step of a stream that wants to read and write by itself, in a thread of its own and in constant memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

# Chunks that wait for the thread. What it writes is taken away before it is given more, so that nothing piles up.
_WAITING: Final = 2
_JOIN_SECONDS: Final = 10


class Inlet:
    """What the thread reads from, like a file: ``read`` answers with nothing only at the end."""

    def __init__(self, inbox: queue.Queue[bytes | None]) -> None:
        self._inbox = inbox
        self._rest = memoryview(b"")
        self.ended = False

    def read(self, count: int = -1) -> bytes:
        """At most ``count`` bytes, and as few as are at hand; all of a chunk without ``count``."""
        while not self._rest:
            if self.ended or (chunk := self._inbox.get()) is None:
                self.ended = True
                return b""
            self._rest = memoryview(chunk)
        end = len(self._rest) if count < 0 else count
        piece, self._rest = bytes(self._rest[:end]), self._rest[end:]
        return piece


class Outlet:
    """What the thread writes to, like a file."""

    def __init__(self) -> None:
        self.blocks: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def write(self, data: bytes) -> int:
        self.blocks.put(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


Work = Callable[[Inlet, Outlet], None]


def through(chunks: Iterable[bytes], work: Work) -> Iterator[bytes]:
    """What ``work`` writes while it reads ``chunks``; whatever it raises is raised here."""
    stage = _Stage(work)
    try:
        for chunk in chunks:
            stage.put(chunk)
            yield from stage.ready()
        stage.finish()
        yield from stage.ready()
    finally:
        stage.leave()


class _Stage:
    def __init__(self, work: Work) -> None:
        self._inbox: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._outlet = Outlet()
        self._error: BaseException | None = None
        self._told = False
        self._thread = threading.Thread(target=self._run, args=(work,), name="stage", daemon=True)
        self._thread.start()

    def put(self, chunk: bytes) -> None:
        self._raise()
        if chunk:
            self._inbox.put(chunk)

    def ready(self) -> Iterator[bytes]:
        while not self._outlet.blocks.empty():
            yield self._outlet.blocks.get()

    def finish(self) -> None:
        self._end()
        self._thread.join()
        self._raise()

    def leave(self) -> None:
        self._end()
        self._thread.join(_JOIN_SECONDS)

    def _end(self) -> None:
        if not self._told:
            self._told = True
            self._inbox.put(None)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self, work: Work) -> None:
        inlet = Inlet(self._inbox)
        try:
            work(inlet, self._outlet)
        except BaseException as error:  # noqa: BLE001 - raised again where the stream is read
            self._error = error
        # Whoever feeds a stage must never wait for one that has ended.
        while not inlet.ended:
            inlet.ended = self._inbox.get() is None
