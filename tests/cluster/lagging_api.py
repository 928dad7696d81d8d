"""An API server whose lists of one kind lag behind what it has accepted, as those of a busy one's watch cache do."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.services.quiet_http import QuietServer, whole_body

_UNFIT = ("connection", "content-length", "host", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class _Upstream:
    """The real API server, as a kubeconfig names it."""

    address: str
    context: ssl.SSLContext

    @classmethod
    def of(cls, kubeconfig: dict[str, Any], folder: Path) -> _Upstream:
        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        pair = folder / "lagging-client.pem"
        pair.touch(0o600)
        keys = ("client-certificate-data", "client-key-data")
        pair.write_bytes(b"\n".join(base64.b64decode(user[key]) for key in keys))
        context.load_cert_chain(pair)
        pair.unlink()
        server: str = cluster["server"]
        return cls(urlsplit(server).netloc, context)

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(self.address, context=self.context, timeout=300)
        connection.request(method, path, body or None, headers)
        return connection.getresponse()


@contextmanager
def lagging(kubeconfig: Path, collection: str, seconds: float) -> Generator[list[str]]:
    """The kubeconfig leads to an API server whose lists of ``collection`` are those of now, and whose watches of it
    begin ``seconds`` late; the paths of the lists that were answered so.
    """
    known = kubeconfig.read_bytes()
    upstream = _Upstream.of(json.loads(known), kubeconfig.parent)
    listed = upstream.ask("GET", collection, b"", {"Accept": "application/json"}).read()
    stale: list[str] = []
    leave = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing: the test's output is not the place."""

        def _serve(self) -> None:
            url = urlsplit(self.path)
            if self.command == "GET" and url.path == collection and self._answer_late(parse_qs(url.query)):
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _UNFIT}
            answer = upstream.ask(self.command, self.path, whole_body(self), headers)
            self._begin(answer.status, [pair for pair in answer.getheaders() if pair[0].lower() not in _UNFIT])
            while piece := answer.read1(65536):
                self._write(piece)
            self._write(b"")

        def _answer_late(self, query: dict[str, list[str]]) -> bool:
            """Whether that was all: a list is, and a list asked for as a watch, which clients ask for anew."""
            if "watch" in query and "sendInitialEvents" not in query:
                leave.wait(seconds)
                return False
            stale.append(self.path)
            self._begin(400 if "watch" in query else 200, [("Content-Type", "application/json")])
            self._write(b"{}" if "watch" in query else listed)
            self._write(b"")
            return True

        def _begin(self, status: int, headers: list[tuple[str, str]]) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()

        def _write(self, piece: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (the names that the base class calls)

    with QuietServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        content = json.loads(known)
        content["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{server.server_port}"}
        try:
            kubeconfig.write_text(json.dumps(content))
            yield stale
        finally:
            kubeconfig.write_bytes(known)
            leave.set()
            server.shutdown()
