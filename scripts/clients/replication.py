"""Redis's replication protocol, as far as a replica needs it that wants one snapshot and nothing after it.

The server forks and sends its RDB over the connection, mostly without touching its disk: no access to its volume is
needed, and neither a full disk nor an old dump.rdb can be taken for a new snapshot.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

from runbook.ops_settings import RedisTarget
from scripts import lazy
from scripts.clients import redis_server
from scripts.exits import OpsError, TemporaryError

# While the server forks and waits it sends a line break every second: that long a silence is a dead connection.
_SILENCE_SECONDS: Final = 60.0
_RECEIVE_BYTES: Final = 2**20
_MARK_BYTES: Final = 40
_LONGEST_LINE: Final = 64 * 2**10


@contextmanager
def snapshot(target: RedisTarget, *, silence: float = _SILENCE_SECONDS) -> Generator[Iterator[bytes]]:
    """The RDB of this moment, piece by piece; it ends well or raises.

    Raises:
        TemporaryError: the server does not answer, its fork failed, or the connection broke before the end.
        UsageError: it does not allow replication to this client.
    """
    where = redis_server.address(target)
    login = redis_server.login(target)
    try:
        with _open(target, silence) as connection:
            link = _Link(connection, where)
            if login is not None:
                link.ask("AUTH", *login)
            link.ask("PING")
            # The end is marked in the stream, so that the server need not know its length and write it to disk first.
            link.ask("REPLCONF", "capa", "eof")
            # Since Redis 7 it need not keep what is written meanwhile for us; older ones refuse the word.
            link.ask("REPLCONF", "rdb-only", "1", optional=True)
            link.ask("PSYNC", "?", "-1")
            yield link.payload()
    except TimeoutError:
        raise TemporaryError(f"Redis at {where}: no byte within {silence:g} s") from None
    except OSError as error:
        raise redis_server.unconnected(error, where) from None


@contextmanager
def _open(target: RedisTarget, silence: float) -> Generator[socket.socket]:
    trust = redis_server.tls(target) if target.tls else None
    with socket.create_connection((target.host, target.port), timeout=silence) as plain:
        if trust is None:
            yield plain
            return
        with trust.wrap_socket(plain, server_hostname=target.host) as secured:
            yield secured


class _Link:
    def __init__(self, connection: socket.socket, where: str) -> None:
        self._connection = connection
        self._where = where
        self._buffer = b""

    def ask(self, *words: str, optional: bool = False) -> None:
        """Send a command; raise unless the answer is a good one."""
        encoded = [word.encode() for word in words]
        parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)]
        self._connection.sendall(b"".join(parts))
        answer = self._line()
        if not answer.startswith("+") and not optional:
            raise self._refused(answer)

    def payload(self) -> Iterator[bytes]:
        """The RDB that follows."""
        head = self._line()
        if not head.startswith("$"):
            raise self._refused(head)
        if head.startswith("$EOF:"):
            return self._marked(head[5:].encode())
        if not head[1:].isdigit():
            raise TemporaryError(f"Redis at {self._where}: {head[:80]!r} is no snapshot")
        return self._counted(int(head[1:]))

    def _counted(self, size: int) -> Iterator[bytes]:
        rest = size
        while rest:
            if not self._buffer:
                self._fill()
            piece, self._buffer = self._buffer[:rest], self._buffer[rest:]
            rest -= len(piece)
            yield piece

    def _marked(self, mark: bytes) -> Iterator[bytes]:
        if len(mark) != _MARK_BYTES:
            raise TemporaryError(f"Redis at {self._where}: the mark of the snapshot's end is broken")
        while (end := self._buffer.find(mark)) < 0:
            # The mark may be cut in two by what was received: as much as could be its beginning stays.
            piece, self._buffer = self._buffer[: 1 - _MARK_BYTES], self._buffer[1 - _MARK_BYTES :]
            if piece:
                yield piece
            self._fill()
        if end:
            yield self._buffer[:end]

    def _line(self) -> str:
        """The next line that says something; empty ones only say that the server is alive."""
        while True:
            line, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                if text := line.strip().decode(errors="replace"):
                    return text
            elif len(self._buffer) > _LONGEST_LINE:
                raise TemporaryError(f"Redis at {self._where}: it does not speak Redis's protocol")
            else:
                self._fill()

    def _fill(self) -> None:
        received = self._connection.recv(_RECEIVE_BYTES)
        if not received:
            raise TemporaryError(f"Redis at {self._where}: the connection ended before the snapshot did")
        self._buffer += received

    def _refused(self, answer: str) -> OpsError:
        return redis_server.translation(_error(answer.removeprefix("-")), self._where)


def _error(answer: str) -> lazy.redis.RedisError:
    """What redis-py would make of an error that it had read itself."""
    exceptions = lazy.redis.exceptions
    code, _, text = answer.partition(" ")
    classes = {
        "NOAUTH": exceptions.AuthenticationError,
        "WRONGPASS": exceptions.AuthenticationError,
        "NOPERM": exceptions.NoPermissionError,
        "LOADING": exceptions.BusyLoadingError,
        "MASTERDOWN": exceptions.MasterDownError,
    }
    return classes[code](text) if code in classes else exceptions.ResponseError(answer.removeprefix("ERR "))
