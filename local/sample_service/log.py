"""One JSON line an event on standard output."""

import json
import sys
import threading
from datetime import UTC, datetime

_guard = threading.Lock()


class Log:
    """Writes lines that carry the service's name."""

    def __init__(self, service: str) -> None:
        self._service = service

    def info(self, message: str, **fields: object) -> None:
        """Something that happened."""
        self._write("INFO", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """Something that heals by itself."""
        self._write("WARNING", message, fields)

    def error(self, message: str, **fields: object) -> None:
        """Something that failed for a user or for good."""
        self._write("ERROR", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, object]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(
            {"time": now, "level": level, "service": self._service, "message": message, **fields}, default=str
        )
        with _guard:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
