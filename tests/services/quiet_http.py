"""An HTTP server for tests whose clients are killed: what a client leaves unsaid is no error of the server."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class QuietServer(ThreadingHTTPServer):
    """Prints no traceback for a connection that its client ended, and every other one."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def whole_body(handler: BaseHTTPRequestHandler) -> bytes:
    """The body of a request; ConnectionError where the client went away before its end, as a killed one does."""
    length = int(handler.headers.get("Content-Length") or 0)
    body = handler.rfile.read(length)
    if len(body) < length:
        raise ConnectionAbortedError(f"the client sent {len(body)} of {length} bytes")
    return body
