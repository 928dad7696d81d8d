"""Takes Alertmanager's notifications and shows them: what would have been sent, for a person to see.

`POST /webhook/<receiver>` keeps one, `GET /` returns the last ones as JSON, the newest last. This file runs by itself
in a pod, with nothing but Python's own modules.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEPT = 200
MOST_BYTES = 1_000_000
_WEBHOOK = re.compile(r"/webhook/(?P<receiver>[\w.-]+)")


class Notifications:
    """The last notifications, from several threads."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, receiver: str, body: object) -> None:
        """Keeps one; the oldest goes where there are too many."""
        with self._lock:
            self._kept.append({"receiver": receiver, "at": datetime.now(UTC).isoformat(), "notification": body})

    def all(self) -> list[dict[str, Any]]:
        """The oldest first."""
        with self._lock:
            return list(self._kept)


def handler(notifications: Notifications) -> type[BaseHTTPRequestHandler]:
    """The request handler over one memory."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(HTTPStatus.OK, notifications.all())
            else:
                self._answer(HTTPStatus.NOT_FOUND, {"error": "look at /"})

        def do_POST(self) -> None:
            target = _WEBHOOK.fullmatch(self.path)
            if target is None:
                self._answer(HTTPStatus.NOT_FOUND, {"error": "post to /webhook/<receiver>"})
                return
            try:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if 0 < length <= MOST_BYTES else None
            except ValueError:
                body = None
            if body is None:
                self._answer(HTTPStatus.BAD_REQUEST, {"error": f"post JSON of at most {MOST_BYTES} bytes"})
                return
            notifications.add(target["receiver"], body)
            self._answer(HTTPStatus.OK, {})

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing: readiness probes would fill the log."""

        def _answer(self, status: HTTPStatus, document: object) -> None:
            content = json.dumps(document, indent=2).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def main(port: int) -> int:
    """Serves until SIGTERM."""
    server = ThreadingHTTPServer(("", port), handler(Notifications()))

    def end(_number: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
