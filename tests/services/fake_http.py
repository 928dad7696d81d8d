"""A small HTTP server whose pages a test decides: a Prometheus API, a Kubernetes API, a webhook, a metrics page."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came in."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered.

    ``hold`` delays it until it is set, ``cut`` promises more bytes than it sends, and with ``pause`` each byte comes
    after so many seconds. ``location`` is where a redirection leads.
    """

    body: str | bytes = ""
    status: int = 200
    kind: str = "application/json"
    hold: threading.Event | None = None
    cut: bool = False
    pause: float = 0
    location: str = ""


def as_json(value: object, status: int = 200) -> Page:
    """A page of JSON."""
    return Page(json.dumps(value), status)


@dataclass(slots=True)
class Fake:
    """A running server: ``pages`` by path (a page, or a function of the request), and every request that came."""

    port: int = 0
    pages: dict[str, Page | Callable[[Asked], Page]] = field(default_factory=dict[str, Any])
    asked: list[Asked] = field(default_factory=list[Asked])
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answer(self, request: Asked) -> Page:
        self.asked.append(request)
        page = self.pages.get(request.path, as_json({"kind": "Status", "message": "not found"}, 404))
        return page if isinstance(page, Page) else page(request)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that went away is what some tests are about."""


def _trickle(client: BufferedIOBase, content: bytes, pause: float) -> None:
    for number in range(len(content)):
        time.sleep(pause)
        client.write(content[number : number + 1])


@contextmanager
def serve(tls: SSLContext | None = None) -> Generator[Fake]:
    """A server on a free port while the block runs."""
    fake = Fake(scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), body)
            page = fake.answer(request)
            if page.hold is not None:
                page.hold.wait(30)
            content = page.body.encode() if isinstance(page.body, str) else page.body
            self.send_response(page.status)
            self.send_header("Content-Type", page.kind)
            if page.location:
                self.send_header("Location", page.location)
            self.send_header("Content-Length", str(len(content) + (10 if page.cut else 0)))
            self.end_headers()
            if page.pause:
                _trickle(self.wfile, content, page.pause)
            else:
                self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing: the test's output is not the place."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    fake.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
