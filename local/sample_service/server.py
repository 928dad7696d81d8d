"""A small HTTP server: routes, metrics of every request, access log, an orderly end."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from .errors import HttpError, first_line
from .log import Log
from .metrics import LATENCY_BUCKETS

_IDLE_SECONDS: Final = 30.0
_MOST_BODY: Final = 1_000_000
_UNMATCHED: Final = "unmatched"


@dataclass(frozen=True)
class Request:
    """What a handler sees; `params` are the named parts of the path."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            HttpError: 400 when it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise HttpError(400, "the body is not JSON") from error


@dataclass(frozen=True)
class Response:
    """A JSON object or list, or text with its own content type."""

    body: object
    status: int = 200
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        """The bytes to send."""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body, default=str).encode()


Handler = Callable[[Request], Response]


@dataclass(frozen=True)
class Route:
    """A path with `{name}` parts; `quiet` ones (probes, metrics, faults) suffer no faults and are not logged."""

    method: str
    pattern: str
    handler: Handler
    quiet: bool = False


class Router:
    """Finds the route of a request."""

    def __init__(self) -> None:
        self._routes: list[tuple[re.Pattern[str], Route]] = []

    def add(self, method: str, pattern: str, handler: Handler, *, quiet: bool = False) -> None:
        """Register a route."""
        expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        self._routes.append((re.compile(expression), Route(method, pattern, handler, quiet)))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the named parts.

        Raises:
            HttpError: 404 for an unknown path, 405 for a known one with another method.
        """
        known = False
        for expression, route in self._routes:
            match = expression.fullmatch(path)
            if match is not None:
                known = True
                if route.method == method:
                    return route, match.groupdict()
        raise HttpError(405 if known else 404, f"{method} {path}: no such {'method' if known else 'path'}")


class Server:
    """Serves a router on all addresses; `port` 0 takes a free one."""

    def __init__(
        self, port: int, router: Router, registry: CollectorRegistry, log: Log, before: Callable[[], None]
    ) -> None:
        self._router = router
        self._log = log
        self._before = before
        answered = ("method", "status", "handler")
        self._requests = Counter("http_requests_total", "Requests answered.", answered, registry=registry)
        self._latency = Histogram(
            "http_request_duration_seconds",
            "Time from request to answer.",
            ("method", "handler"),
            registry=registry,
            buckets=LATENCY_BUCKETS,
        )
        self._running = 0
        self._idle = threading.Condition()
        self._http = _Http(("", port), _handler_for(self))
        self._thread = threading.Thread(target=self._http.serve_forever, name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port that is served."""
        return int(self._http.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def end(self, seconds: float) -> bool:
        """Accept nothing new and wait for running requests; False when some did not end within `seconds`."""
        self._http.shutdown()
        self._http.server_close()
        with self._idle:
            return self._idle.wait_for(lambda: self._running == 0, seconds)

    def answer(self, request: Request) -> tuple[Response, float]:
        """Handle one request; returns the response and its time in seconds."""
        began = time.perf_counter()
        with self._idle:
            self._running += 1
        pattern, quiet = _UNMATCHED, False
        try:
            route, params = self._router.find(request.method, request.path)
            pattern, quiet = route.pattern, route.quiet
            if not quiet:
                self._before()
            found = Request(request.method, request.path, params, request.headers, request.body)
            response = route.handler(found)
        except HttpError as error:
            response = Response({"error": str(error)}, error.status)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises must become an answer
            response = Response({"error": "internal error"}, 500)
            self._log.error("request failed", path=request.path, reason=f"{type(error).__name__}: {first_line(error)}")
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()
        seconds = time.perf_counter() - began
        self._requests.labels(request.method, response.status, pattern).inc()
        self._latency.labels(request.method, pattern).observe(seconds)
        if not quiet:
            self._log_access(request, response, seconds)
        return response, seconds

    def _log_access(self, request: Request, response: Response, seconds: float) -> None:
        fields = {"status": response.status, "X-Process-Time": f"{seconds:.6f}"}
        write = self._log.error if response.status >= 500 else self._log.info
        write(f"{request.method} {request.path} {response.status}", **fields)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler_for(server: Server) -> type[BaseHTTPRequestHandler]:
    class HttpHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_SECONDS

        def _serve(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > _MOST_BODY:
                self.close_connection = True
                self._send(Response({"error": "Content-Length must be a number up to 1000000"}, 413), 0.0)
                return
            body = self.rfile.read(int(length))
            path = self.path.partition("?")[0]
            self._send(*server.answer(Request(self.command, path, {}, dict(self.headers.items()), body)))

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815

        def _send(self, response: Response, seconds: float) -> None:
            data = response.encoded()
            self.send_response(response.status)
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Process-Time", f"{seconds:.6f}")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """The access log is the server's own."""

    return HttpHandler
