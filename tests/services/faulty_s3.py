"""A proxy in front of an S3 endpoint that fails as S3 and networks do, at the requests that a test names."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.services.servers import Server

_ERROR: Final = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
_HOP: Final = frozenset({"connection", "transfer-encoding", "keep-alive", "date", "server"})
_PIECE: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A request: ``operation`` as S3 names it, ``number`` counts those of its operation from 1, repeats included."""

    operation: str
    number: int
    path: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An error answer instead of the real one."""

    status: int
    code: str


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset: in the middle of the request, or ``after`` the server has done what it was asked."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """The answer's body ends in its middle, and so does the connection."""


@dataclass(frozen=True, slots=True)
class Altered:
    """A bit of the answer's body is another."""


@dataclass(frozen=True, slots=True)
class Slow:
    """The request is passed on after so many seconds, or when the proxy ends."""

    seconds: float


Fault = Refused | Reset | Cut | Altered | Slow
Choice = Callable[[Call], Fault | None]


def at(operation: str, fault: Fault, numbers: range) -> Choice:
    """``fault`` at these requests of ``operation``."""
    return lambda call: fault if call.operation == operation and call.number in numbers else None


@dataclass
class FaultyS3:
    """A running proxy: ``choice`` decides on each request; ``done`` is what was injected."""

    port: int = 0
    choice: Choice | None = None
    clock_offset: timedelta = timedelta(0)
    calls: dict[str, int] = field(default_factory=dict[str, int])
    done: list[Call] = field(default_factory=list[Call])
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def decide(self, operation: str, path: str) -> Fault | None:
        """What becomes of the next request."""
        with self.lock:
            number = self.calls[operation] = self.calls.get(operation, 0) + 1
            call = Call(operation, number, path)
            fault = self.choice(call) if self.choice else None
            if fault is not None:
                self.done.append(call)
            return fault


def operation_of(method: str, path: str) -> str:
    """The operation of S3 that a request asks for."""
    query = path.partition("?")[2]
    names = {
        ("PUT", "partNumber="): "UploadPart",
        ("POST", "uploadId="): "CompleteMultipartUpload",
        ("POST", "uploads"): "CreateMultipartUpload",
        ("DELETE", "uploadId="): "AbortMultipartUpload",
        ("GET", "list-type="): "ListObjectsV2",
    }
    found = next((name for (verb, word), name in names.items() if verb == method and word in query), None)
    return found or {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject"}.get(method, method)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyS3
    target: Server

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):
            super().handle_one_request()
            return
        self.close_connection = True

    def _any(self) -> None:
        fault = self.proxy.decide(operation_of(self.command, self.path), self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if fault == Reset():
            self.rfile.read(min(length // 2, _PIECE))
            self._reset()
            return
        body = self.rfile.read(length)
        if isinstance(fault, Refused):
            self._answer(fault.status, {}, _ERROR.format(code=fault.code).encode())
            return
        if isinstance(fault, Slow):
            self.proxy.over.wait(fault.seconds)
        status, headers, answer = self._ask(body)
        if fault == Reset(after=True):
            self._reset()
        elif isinstance(fault, Cut):
            self._answer(status, headers, answer, cut=len(answer) // 2)
        else:
            if isinstance(fault, Altered):
                middle = len(answer) // 2
                answer = answer[:middle] + bytes([answer[middle] ^ 1]) + answer[middle + 1 :]
            self._answer(status, headers, answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815 - the base class names them

    def _ask(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(self.target.host, self.target.port, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes, cut: int | None = None) -> None:
        there = {name.lower(): value for name, value in headers.items()}
        self.send_response_only(status)
        if "date" in there:
            moment = parsedate_to_datetime(there["date"]) + self.proxy.clock_offset
            self.send_header("Date", format_datetime(moment, usegmt=True))
        for name, value in there.items():
            if name not in _HOP and name != "content-length":
                self.send_header(name, value)
        size = there.get("content-length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", size)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def _reset(self) -> None:
        # Lingering for no time makes close send a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        raise ConnectionResetError

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Nothing: the test's output is not the place."""


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error of the proxy."""


@contextmanager
def faulty_s3(target: Server) -> Generator[FaultyS3]:
    """A proxy in front of a server."""
    state = FaultyS3()
    handler = type("Handler", (_Handler,), {"proxy": state, "target": target})
    server = _Proxy(("127.0.0.1", 0), handler)
    state.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
