"""A child process at one end of a stream: its end is never mistaken for the end of the data."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Final, Self, cast

# A wide pipe lets the producer run on while a part is handed over. Linux allows 1 MiB to everybody.
_PIPE_BYTES: Final = 2**20
# Programs write through buffers of 4 KiB. Whoever reads as soon as something is there is woken for each few of them,
# and so is all that follows: 22,000 times for 400 MB. A moment later there is more, and the pipe holds what comes in
# several moments.
_GATHERED_BYTES: Final = 2**19
_MOMENT_SECONDS: Final = 0.001
_KEPT_LINES: Final = 20
_TERM_SECONDS: Final = 5.0


class Child:
    """A child process with one pipe, ended with its whole group when the block is left.

    Its arguments can be seen by every user of the machine: nothing secret belongs there.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], descriptors: tuple[int, ...], *, feeds: bool
    ) -> None:
        """Start it. With ``feeds`` this process writes to its stdin, else it reads from its stdout."""
        self._process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if feeds else subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            pass_fds=descriptors,
            start_new_session=True,
            bufsize=0,
        )
        pipe = self._process.stdin if feeds else self._process.stdout
        self.pipe = cast("IO[bytes]", pipe)
        with suppress(OSError):
            fcntl.fcntl(self.pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def output(self) -> Iterator[bytes]:
        """What it writes, in large pieces, until it closes its stdout: ``wait`` tells why it did."""
        piece = memoryview(bytearray(_PIPE_BYTES))
        filled = 0
        while count := cast("io.FileIO", self.pipe).readinto(piece[filled:]):
            filled += count
            if filled < _GATHERED_BYTES:
                time.sleep(_MOMENT_SECONDS)
            else:
                yield bytes(piece[:filled])
                filled = 0
        if filled:
            yield bytes(piece[:filled])

    def wait(self) -> tuple[int, str]:
        """Its exit code (negative: the signal that killed it) and the last lines of its stderr."""
        code = self._process.wait()
        self._listener.join(timeout=_TERM_SECONDS)
        return code, "\n".join(self._lines)

    def _listen(self) -> None:
        for line in cast("IO[bytes]", self._process.stderr):
            self._lines.append(line.decode(errors="replace").rstrip())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            os.killpg(self._process.pid, number)
            try:
                self._process.wait(_TERM_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        with suppress(BrokenPipeError):
            self.pipe.close()
        self._listener.join(timeout=_TERM_SECONDS)
