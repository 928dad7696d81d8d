"""The WSGI application around moto: one request at a time, and none is acknowledged before its effect is on disk."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Any

from local.aws.bucket_policies import request_headers
from local.aws.memory import trim_when_large
from local.aws.store import KEPT_SERVICES, StateStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("local.aws.wsgi")

HEALTH_PATH = "/healthz"

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BODY_IN_MEMORY_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


class KeepingApplication:
    """Serves `application` and saves the state after each request that may have changed it."""

    def __init__(self, application: WSGIApplication, store: StateStore) -> None:
        self._application = application
        self._store = store
        self._turn = threading.Lock()
        self._warned: set[str] = set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        method = str(environ.get("REQUEST_METHOD", "GET"))
        if path == HEALTH_PATH:
            return _answer(start_response, "200 OK", {"status": "ok", "kept": list(KEPT_SERVICES)})
        if path.startswith("/moto-api") and method not in _READING_METHODS:
            return _answer(start_response, "403 Forbidden", {"message": "the state cannot be reset over the network"})
        self._warn_if_not_kept(environ)
        # The body is taken in before the turn, so that a slow client holds up nobody.
        with _read_body(environ) as body:
            environ["wsgi.input"] = body
            with self._turn:
                content = self._run(environ, method, start_response)
        trim_when_large()
        return content

    def close(self) -> None:
        """Wait for the running request, save for good and release the state folder. Raises OSError (disk full)."""
        with self._turn:
            self._store.save(durable=True)
            self._store.close()

    def _run(self, environ: WSGIEnvironment, method: str, start_response: StartResponse) -> Iterable[bytes]:
        request_headers.set(_headers(environ))
        response = _Response()
        chunks = self._application(environ, response.start)
        try:
            content = list(chunks)
        finally:
            close: Callable[[], None] | None = getattr(chunks, "close", None)
            if close is not None:
                close()
        if method not in _READING_METHODS and not self._saved():
            return _answer(start_response, "503 Slow Down", {"message": "the state could not be saved; see the log"})
        if response.status.startswith("5"):
            log.error("request-failed status=%s method=%s path=%s", response.status, method, environ.get("PATH_INFO"))
        start_response(response.status, response.headers)
        return content

    def _saved(self) -> bool:
        try:
            self._store.save()
        except OSError as error:
            log.error("state-not-saved reason=%s", json.dumps(str(error)))  # noqa: TRY400 - the reason says all
            return False
        return True

    def _warn_if_not_kept(self, environ: WSGIEnvironment) -> None:
        service = signed_service(str(environ.get("HTTP_AUTHORIZATION", "")))
        if service is not None and service not in KEPT_SERVICES and service not in self._warned:
            self._warned.add(service)
            log.warning("service-not-kept service=%s kept=%s", service, ",".join(KEPT_SERVICES))


class _Response:
    """Collects what an application passes to ``start_response``."""

    def __init__(self) -> None:
        self.status = "500 Internal Server Error"
        self.headers: list[tuple[str, str]] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        del exc_info
        self.status, self.headers = status, headers
        return self._write

    @staticmethod
    def _write(data: bytes) -> None:
        raise NotImplementedError("the write callable of WSGI is not served")


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }


def signed_service(authorization: str) -> str | None:
    """The service in a Signature Version 4 header, ``Credential=KEY/DATE/REGION/SERVICE/aws4_request``, or None."""
    _, found, scope = authorization.partition("Credential=")
    parts = scope.split(",")[0].split("/")
    return parts[-2].lower() if found and len(parts) >= 5 else None


def _read_body(environ: WSGIEnvironment) -> IO[bytes]:
    source: Any = environ["wsgi.input"]
    target: IO[bytes] = tempfile.SpooledTemporaryFile(_BODY_IN_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    left = int(environ.get("CONTENT_LENGTH") or 0)
    if environ.get("wsgi.input_terminated"):
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)
    while left > 0 and (chunk := source.read(min(left, _CHUNK_BYTES))):
        left -= target.write(chunk)
    target.seek(0)
    return target


def _answer(start_response: StartResponse, status: str, content: dict[str, Any]) -> Iterable[bytes]:
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
