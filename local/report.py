"""What `make up` says while it works: one line an event, with the time since the start."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from runbook.units import stopwatch
from scripts import redact


class Report:
    """Lines from several threads, each with the elapsed time and its subject."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @property
    def elapsed_seconds(self) -> float:
        """Time since the report began."""
        return time.monotonic() - self._started

    def say(self, subject: str, text: str) -> None:
        """One line, written whole and without secrets."""
        shown = redact.clean(text)
        with self._lock:
            self._stream.write(f"[{stopwatch(self.elapsed_seconds):>5}] {subject:<10} {shown}\n")
            self._stream.flush()


class ToolchainLines:
    """The toolchain's progress as lines of the report; a long build says every half minute that it goes on."""

    _EVERY_SECONDS = 30.0

    def __init__(self, report: Report) -> None:
        self._report = report
        self._building: tuple[str, int, float] | None = None
        self._over = threading.Event()
        threading.Thread(target=self._remind, daemon=True).start()

    def started(self, group: str, left: int) -> None:
        """A group is being built."""
        self._building = (group, left, time.monotonic())
        self._say(f"building {group}, {left} more after it")

    def finished(self, group: str, seconds: float) -> None:
        """A group was built."""
        self._building = None
        self._say(f"{group} built in {seconds:.0f} s")

    def waiting(self, group: str) -> None:
        """Another run builds this group."""
        self._say(f"waiting for another run that builds {group}")

    def close(self) -> None:
        """Nothing more will be built."""
        self._over.set()

    def _remind(self) -> None:
        while not self._over.wait(self._EVERY_SECONDS):
            building = self._building
            if building:
                group, left, since = building
                self._say(f"still building {group} ({time.monotonic() - since:.0f} s), {left} more after it")

    def _say(self, text: str) -> None:
        self._report.say("toolchain", text)
