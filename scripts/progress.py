"""How far long work has come: one line that renews itself on a terminal, a log line every ten seconds elsewhere.

Work that is over sooner says nothing; what it did stands in its result.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Final, Self, TypeVar

from runbook.units import duration, size
from scripts import log

LOG_SECONDS: Final = 10.0
_TERMINAL_SECONDS: Final = 0.2
# Before this a rate is a guess.
_RATE_SECONDS: Final = 1.0

_Part = TypeVar("_Part", bound=Sized)


class _Line:
    """A line that is told of often and shown now and then."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = self._logged = self._began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log.transient("")

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self._began

    def _due(self) -> bool:
        """Whether the terminal's line is old."""
        now = time.monotonic()
        if not log.on_terminal() or now - self._shown < _TERMINAL_SECONDS:
            return False
        self._shown = now
        return True

    def _log_due(self) -> bool:
        """Whether a log has heard nothing for long."""
        now = time.monotonic()
        if log.on_terminal() or now - self._logged < LOG_SECONDS:
            return False
        self._logged = now
        return True


class Progress(_Line):
    """Work on ``total`` bytes, or things such as ``keys``; None where nobody knows how many there will be."""

    def __init__(self, what: str, total: int | None = None, things: str = "bytes") -> None:
        super().__init__()
        self.done = 0
        self._what, self._total, self._things = what, total, things

    def advance(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        if self._due():
            log.transient(f"{self._what}: {self.text()}")
        elif self._log_due():
            known = {} if self._total is None else {"of": self._total}
            log.info(self._what, **{self._things: self.done}, **known, seconds=round(self.seconds, 1))

    def text(self) -> str:
        """E.g. ``1.2 GB of 4.1 GB (29%), 145.0 MB/s, 20.0 s left``."""
        parts = [self._amount(self.done)]
        rate = self.done / self.seconds if self.seconds >= _RATE_SECONDS else 0
        if self._total:
            # More than was expected is all that is known of it.
            parts[0] += f" of {self._amount(self._total)} ({min(self.done / self._total, 1):.0%})"
        if rate:
            parts.append(f"{self._amount(rate)}/s")
            if self._total and self.done < self._total:
                parts.append(f"{duration((self._total - self.done) / rate)} left")
        return ", ".join(parts)

    def _amount(self, number: float) -> str:
        return size(number) if self._things == "bytes" else f"{number:,.0f} {self._things}"


class Waiting(_Line):
    """Waiting for something that says in words how it is."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what, self._text = what, ""

    def tell(self, text: str) -> None:
        """How it is now; a log hears of changes only."""
        if self._due():
            log.transient(f"{self._what} for {duration(self.seconds)}: {text}")
        elif text != self._text and self._log_due():
            self._text = text
            log.info(self._what, state=text, seconds=round(self.seconds, 1))


def passing(parts: Iterable[_Part], what: str, total: int | None = None, things: str = "bytes") -> Iterator[_Part]:
    """``parts`` while their lengths are counted."""
    with Progress(what, total, things) as progress:
        for part in parts:
            progress.advance(len(part))
            yield part
