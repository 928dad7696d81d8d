"""The pages of the genuine exporter: the metrics, and /healthz, which tells only that the process answers."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4


class Server(ThreadingHTTPServer):
    """Serves what `collect` returns under `path`."""

    daemon_threads = True

    def __init__(self, host: str, port: int, path: str, collect: Callable[[], str]) -> None:
        super().__init__((host, port), _handler(path, collect))


def _handler(path: str, collect: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30.0

        def do_GET(self) -> None:
            asked = self.path.partition("?")[0]
            if asked == path:
                self._send(200, collect(), CONTENT_TYPE_PLAIN_0_0_4)
            elif asked == "/healthz":
                self._send(200, "ok", "text/plain; charset=utf-8")
            else:
                self._send(404, f"nothing here: ask for {path}\n", "text/plain; charset=utf-8")

        def _send(self, status: int, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Nothing: a scrape that worked is no event."""

    return Pages
