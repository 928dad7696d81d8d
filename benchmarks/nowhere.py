"""An S3 endpoint that takes everything and keeps nothing: what a backup costs where the bucket is on another machine.

A server beside the program takes processor time that it would not take in production. This one lets the kernel throw
the bodies away unread, and answers what an upload needs to hear. Nothing can be read from it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from tests.services.servers import Server

_ETAG: Final = '"00000000000000000000000000000000"'
_PIECE: Final = 2**20
_HEAD_END: Final = b"\r\n\r\n"
_ANSWERS: Final = {
    ("GET", "list-type"): "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>",
    ("GET", "uploads"): "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
    ("POST", "uploads"): "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
    ("POST", "uploadId"): f"<CompleteMultipartUploadResult><ETag>{_ETAG}</ETag></CompleteMultipartUploadResult>",
}


@contextmanager
def bucket() -> Generator[Server]:
    """The endpoint, while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield Server("127.0.0.1", int(listener.getsockname()[1]), 0, Path("/dev/null"))


def answer(method: str, query: str) -> str:
    """The body of the answer to a request: of all that is asked, only uploads have something to hear."""
    return next((text for (verb, word), text in _ANSWERS.items() if verb == method and word in query), "")


def _accept(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    received = b""
    with connection, suppress(ConnectionError):
        while True:
            while _HEAD_END not in received:
                if not (more := connection.recv(_PIECE)):
                    return
                received += more
            head, _, received = received.partition(_HEAD_END)
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            if "expect" in headers:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            received = _thrown_away(connection, received, int(headers.get("content-length", 0)))
            method, target, _ = lines[0].split(" ")
            connection.sendall(_response(answer(method, target.partition("?")[2])))


def _thrown_away(connection: socket.socket, received: bytes, count: int) -> bytes:
    """What follows a body of ``count`` bytes that begins with ``received``."""
    rest, scratch = count - len(received), bytearray(_PIECE)
    while rest > 0:
        # With MSG_TRUNC, Linux takes bytes of a TCP stream without copying them.
        if not (taken := connection.recv_into(scratch, min(rest, _PIECE), socket.MSG_TRUNC)):
            raise ConnectionResetError
        rest -= taken
    return received[count:]


def _response(body: str) -> bytes:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    lines = ("HTTP/1.1 200 OK", f"Date: {date}", f"ETag: {_ETAG}", f"Content-Length: {len(body)}", "", body)
    return "\r\n".join(lines).encode()
