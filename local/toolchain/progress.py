"""What long builds say: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.status import Status
from rich.text import Text

from runbook.units import stopwatch


class Progress(Protocol):
    """Told by the builder, from its own thread, about each group."""

    def started(self, group: str, left: int) -> None:
        """A group is being built; `left` more wait after it."""
        ...

    def finished(self, group: str, seconds: float) -> None:
        """A group was built."""
        ...

    def waiting(self, group: str) -> None:
        """Another run builds this group; its result will be used."""
        ...

    def close(self) -> None:
        """Nothing more will be built."""
        ...


class LineProgress:
    """A line an event: for logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._start = time.monotonic()

    def _say(self, text: str) -> None:
        self._stream.write(f"toolchain {stopwatch(time.monotonic() - self._start)} {text}\n")
        self._stream.flush()

    def started(self, group: str, left: int) -> None:
        self._say(f"building {group}, {left} more to build")

    def finished(self, group: str, seconds: float) -> None:
        self._say(f"built {group} in {stopwatch(seconds)}")

    def waiting(self, group: str) -> None:
        self._say(f"waiting for another run that builds {group}")

    def close(self) -> None:
        pass


class TerminalProgress:
    """One line that is rewritten every second while something is built."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._status: Status | None = None
        self._text = ""
        self._ticker: threading.Thread | None = None
        self._closed = threading.Event()

    def _line(self) -> Text:
        return Text.assemble(("toolchain", "bold"), f" {stopwatch(time.monotonic() - self._start)} {self._text}")

    def _show(self, text: str) -> None:
        with self._lock:
            self._text = text
            if self._status is None:
                self._status = self._console.status(self._line())
                self._status.start()
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()
            else:
                self._status.update(self._line())

    def _tick(self) -> None:
        while not self._closed.wait(1.0):
            with self._lock:
                if self._status is not None:
                    self._status.update(self._line())

    def started(self, group: str, left: int) -> None:
        self._show(f"building {group}, {left} more to build")

    def finished(self, group: str, seconds: float) -> None:
        self._console.print(Text(f"toolchain built {group} in {stopwatch(seconds)}"))

    def waiting(self, group: str) -> None:
        self._show(f"waiting for another run that builds {group}")

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            if self._status is not None:
                self._status.stop()
                self._status = None


def for_stream(stream: TextIO | None = None) -> Progress:
    """The live line where `stream` (standard error) is a terminal, else plain lines."""
    target = stream or sys.stderr
    return TerminalProgress(Console(file=target)) if target.isatty() else LineProgress(target)
