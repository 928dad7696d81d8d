"""A client that is killed in the middle of a request neither changes anything nor is told of."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tests.services import kube_api
from tests.services.quiet_http import QuietServer

_PATH = "/api/v1/namespaces/crypto/configmaps/app-config"


@pytest.fixture
def failing() -> Iterator[tuple[int, threading.Event]]:
    ended = threading.Event()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raise ZeroDivisionError("defect of the test's own server")

    class Server(QuietServer):
        def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override] - the base class says more
            super().shutdown_request(request)
            ended.set()

    server = Server(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port, ended
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("sent", [0, 1, 20], ids="{}-bytes-of-the-body".format)
def test_a_change_that_was_not_sent_to_its_end_is_not_made(sent: int, capfd: pytest.CaptureFixture[str]) -> None:
    body = b'{"data": {"POOL_SIZE": "20"}}'
    with kube_api.serving() as api:
        api.add(_PATH, {"data": {"POOL_SIZE": "10"}})
        port = int(api.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            head = f"PATCH {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            client.sendall(head.encode() + b"Content-Type: application/merge-patch+json\r\n\r\n" + body[:sent])
            client.shutdown(socket.SHUT_WR)
            # The server closes when it is done with the request.
            assert client.recv(1) == b""
        assert api.objects[_PATH]["data"] == {"POOL_SIZE": "10"}
        assert api.requests == []
    assert capfd.readouterr().err == ""


def test_a_defect_of_the_server_itself_is_still_printed(
    failing: tuple[int, threading.Event], capfd: pytest.CaptureFixture[str]
) -> None:
    port, ended = failing
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1) == b""
    assert ended.wait(10)
    assert "ZeroDivisionError" in capfd.readouterr().err
