"""The error that the environment's own commands show: one line that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from scripts import redact

_LOG_LINES = 6
_LOG_COLUMNS = 300


class LocalError(RuntimeError):
    """Something that the user can act on. ``passing`` tells that the command, run again, may do better as it is."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing

    def with_log(self, lines: Sequence[str]) -> Self:
        """The error with the last lines of a log, which are shown below its own line."""
        # Before anything is cut: half of a secret is not known as one.
        whole = redact.clean("\n".join(lines)).split("\n")
        for line in [line.rstrip() for line in whole if line.strip()][-_LOG_LINES:]:
            self.add_note(f"  | {line[:_LOG_COLUMNS]}")
        return self

    def shown(self) -> str:
        """The line, and below it what belongs to it; without secrets of what it repeats."""
        notes: list[str] = getattr(self, "__notes__", [])
        return redact.clean("\n".join((str(self), *notes)))
