"""Structured logs on stderr: JSON lines for machines, plain lines for people."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from scripts import redact


def info(message: str, **fields: object) -> None:
    """Something happened as it should."""
    _write("info", message, fields)


def warning(message: str, **fields: object) -> None:
    """Something is odd, and the command goes on."""
    _write("warning", message, fields)


def error(message: str, **fields: object) -> None:
    """The command ends because of this."""
    _write("error", message, fields)


def _write(level: str, message: str, fields: dict[str, object]) -> None:
    now = datetime.now(UTC)
    if sys.stderr.isatty():
        details = " ".join(f"{key}={value}" for key, value in fields.items())
        line = f"{now:%H:%M:%S} {'' if level == 'info' else level + ': '}{message} {details}".rstrip()
        line = redact.clean(line)
    else:
        record = {"time": now.isoformat(timespec="milliseconds"), "level": level, "message": message, **fields}
        line = json.dumps(redact.plain(record), ensure_ascii=False)
    print(line, file=sys.stderr, flush=True)
