"""Structured logs on stderr: JSON lines for machines, plain lines for people."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from typing import Final

from scripts import redact, visible

_CLEAR: Final = "\r\x1b[K"
_transient = False


def info(message: str, **fields: object) -> None:
    """Something happened as it should."""
    _write("info", message, fields)


def warning(message: str, **fields: object) -> None:
    """Something is odd, and the command goes on."""
    _write("warning", message, fields)


def error(message: str, **fields: object) -> None:
    """The command ends because of this."""
    _write("error", message, fields)


def on_terminal() -> bool:
    """Whether a person watches."""
    return sys.stderr.isatty()


def transient(text: str) -> None:
    """A terminal's last line, until the next log line or the next one of these; empty for none. Nothing elsewhere."""
    global _transient  # noqa: PLW0603 - there is one terminal
    if not on_terminal() or not (text or _transient):
        return
    # A line that wraps could not be taken back.
    line = visible.line(redact.clean(text))[: shutil.get_terminal_size().columns - 1]
    print(f"{_CLEAR}{line}", end="", file=sys.stderr, flush=True)
    _transient = bool(text)


def _write(level: str, message: str, fields: dict[str, object]) -> None:
    transient("")
    now = datetime.now(UTC)
    if on_terminal():
        details = " ".join(f"{key}={value}" for key, value in fields.items())
        line = f"{now:%H:%M:%S} {'' if level == 'info' else level + ': '}{message} {details}".rstrip()
        line = visible.line(redact.clean(line))
    else:
        record = {"time": now.isoformat(timespec="milliseconds"), "level": level, "message": message, **fields}
        line = visible.json_line(redact.plain(record))
    print(line, file=sys.stderr, flush=True)
