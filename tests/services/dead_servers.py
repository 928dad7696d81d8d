"""Servers that are not there for anybody: gone, silent, hanging up, or refusing in the words of their protocol."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

from tests.running.slots import free_port

FAULTS: Final = ("gone", "silent", "hanging-up", "refusing")

_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_GSS_REQUEST: Final = struct.pack("!ii", 8, 80877104)
_FATAL: Final = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"
_UNAVAILABLE: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"


def _postgres(client: socket.socket, said: bytes) -> bool:
    if said in (_SSL_REQUEST, _GSS_REQUEST):
        client.sendall(b"N")
        return True
    client.sendall(b"E" + struct.pack("!i", len(_FATAL) + 4) + _FATAL)
    return False


def _redis(client: socket.socket, _said: bytes) -> bool:
    client.sendall(b"-ERR max number of clients reached\r\n")
    return False


def _http(client: socket.socket, _said: bytes) -> bool:
    client.sendall(_UNAVAILABLE)
    return False


def _kafka(_client: socket.socket, _said: bytes) -> bool:
    # The protocol has no words for it: a broker at its limit of connections closes.
    return False


_REFUSALS: Final[dict[str, Callable[[socket.socket, bytes], bool]]] = {
    "postgres": _postgres,
    "redis": _redis,
    "kafka": _kafka,
    "http": _http,
}


@contextmanager
def dead(fault: str, protocol: str) -> Generator[int]:
    """The port of a server of ``protocol`` with ``fault`` while the block runs."""
    if fault == "gone":
        yield free_port()
        return
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=_accept, args=(listener, fault, protocol, over), daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, fault: str, protocol: str, over: threading.Event) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, fault, protocol, over), daemon=True).start()


def _serve(client: socket.socket, fault: str, protocol: str, over: threading.Event) -> None:
    with client, suppress(OSError):
        if fault == "silent":
            over.wait(120)
        elif fault == "refusing":
            while (said := client.recv(65536)) and _REFUSALS[protocol](client, said):
                pass
