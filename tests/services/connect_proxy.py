"""A proxy for CONNECT whose connections can be cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress


class ConnectProxy:
    """Its address, and what it was asked for."""

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.asked: list[str] = []
        self._listener = listener
        self._open: list[socket.socket] = []
        self._away = False

    def cut(self) -> None:
        """End all connections, and make no new ones until ``mend``."""
        self._away = True
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._away = False

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                head = client.recv(65536).decode()
                if self._away:
                    client.close()
                    continue
                self.asked.append(head.split()[1])
                host, port = self.asked[-1].split(":")
                server = socket.create_connection((host, int(port)))
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=_relay, args=pair, daemon=True).start()


def _relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def connect_proxy() -> Generator[ConnectProxy]:
    """A proxy that listens while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = ConnectProxy(listener)
        threading.Thread(target=proxy.serve, daemon=True).start()
        yield proxy
