"""Redis: commands, errors in the terms of this program, and what kind of server it is."""

from __future__ import annotations

import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from runbook.ops_settings import RedisTarget
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError
from scripts.output import one_line

if TYPE_CHECKING:
    import redis

_SECONDS: Final = 30.0
_TEMPORARY: Final = ("LOADING", "BUSY", "MASTERDOWN", "NOMASTERLINK", "TRYAGAIN", "CLUSTERDOWN", "OOM", "MISCONF")
_WRONG: Final = ("NOAUTH", "WRONGPASS", "NOPERM", "READONLY", "unknown command", "max number of clients")


@contextmanager
def connect(
    target: RedisTarget, database: int = 0, *, socket_path: str | None = None, seconds: float = _SECONDS
) -> Generator[redis.Redis]:
    """A client of the server, or of the one at ``socket_path``; each answer may take ``seconds``.

    Raises:
        TemporaryError: it does not answer, is loading, or its memory is full.
        UsageError: it refuses the login or a command.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    common: dict[str, Any] = {
        "db": database,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        # Not repeated in silence: a command that was cut off may have been done.
        "retry": Retry(NoBackoff(), 0),
    }
    if socket_path is not None:
        client = redis.Redis(unix_socket_path=socket_path, **common)
    else:
        client = redis.Redis(target.host, target.port, ssl=target.tls, **common)
    with translated(socket_path or f"{target.host}:{target.port}"):
        try:
            yield client
        finally:
            client.close()


@contextmanager
def translated(where: str) -> Generator[None]:
    """Turn errors of redis-py into errors of this program."""
    import redis

    try:
        yield
    except redis.RedisError as error:
        raise refused(one_line(str(error)), where, lost=isinstance(error, redis.ConnectionError)) from None


def refused(message: str, where: str, *, lost: bool = False) -> OpsError:
    """The error for what the server answered, or for a connection that was ``lost``."""
    text = f"Redis at {where}: {message or 'the connection broke'}"
    if any(word in message for word in _WRONG):
        return UsageError(text)
    if lost or "imeout" in message or any(word in message for word in _TEMPORARY):
        return TemporaryError(text)
    return CheckFailedError(text)


def info(client: redis.Redis) -> Mapping[str, Any]:
    """What INFO tells."""
    found: Any = client.info()  # pyright: ignore[reportUnknownMemberType] - redis-py has no exact types
    return found


def tls() -> ssl.SSLContext:
    """How a connection to Redis is encrypted that redis-py does not make."""
    return ssl.create_default_context()
