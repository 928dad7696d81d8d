"""Redis: connections, errors in the terms of this program, and the commands that walk a large server.

Nothing here holds Redis up: keys are walked by SCAN and freed by UNLINK, in batches (defect 11).
"""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from runbook.ops_settings import RedisTarget
from scripts import config, lazy
from scripts.clients import tls as clients_tls
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError
from scripts.output import one_line

_SECONDS: Final = 30.0
# One step takes Redis well under a millisecond; other clients are served between two steps.
_BATCH: Final = 500
_CHECK_TLS: Final = "check host and caFile in the settings; the server must ask its clients for no certificate"
# Codes of passing states for which redis-py has no class of its own: their error's text begins with them.
_NO_CLUSTER: Final = (
    "ops works with one primary that has all keys, and with no cluster; name such a one in the settings"
)
_PROTECTED: Final = (
    "give the server a password (requirepass, or an ACL user) and ops its login, or set protected-mode no"
)
_PASSING: Final = {
    "BUSY": "",
    "NOMASTERLINK": "",
    "MISCONF": "; mend what keeps it from saving, or set stop-writes-on-bgsave-error no meanwhile",
    "NOREPLICAS": "; bring its replicas back, or set min-replicas-to-write 0 meanwhile",
}


@contextmanager
def connect(
    target: RedisTarget, database: int = 0, *, socket_path: str | None = None, seconds: float | None = _SECONDS
) -> Generator[lazy.redis.Redis]:
    """A client of the server, or of the one at ``socket_path``; each answer may take ``seconds`` (None: any time).

    Raises:
        TemporaryError: it does not answer, is loading, has no connection left, or its memory is full.
        UsageError: it refuses the login or a command, or it is a replica and was to write.
    """
    common: dict[str, Any] = {
        "db": database,
        "client_name": "ops",
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        # With 3, the default of release 8, a server that wants a login speaks of HELLO instead.
        "protocol": 2,
        # Not repeated in silence: a command that was cut off may have been done.
        "retry": lazy.redis.retry.Retry(lazy.redis.backoff.NoBackoff(), 0),
    }
    if socket_path is not None:
        client = lazy.redis.Redis(unix_socket_path=socket_path, **common)
    else:
        user, password = login(target) or (None, None)
        if target.tls:
            # A file that cannot be used would look like a server that does not answer.
            tls(target)
            common |= {"ssl": True, "ssl_ca_certs": target.ca_file}
        client = lazy.redis.Redis(target.host, target.port, username=user, password=password, **common)
    with translated(socket_path or address(target)):
        try:
            yield client
        finally:
            client.close()


def address(target: RedisTarget) -> str:
    """Where the server is, for a message."""
    return f"{target.host}:{target.port}"


def login(target: RedisTarget) -> tuple[str, str] | None:
    """The ACL user and the password; None where the server wants none. Raises UsageError: no password can be read."""
    return None if target.login is None else (target.login.user, config.password(target.login))


def tls(target: RedisTarget) -> ssl.SSLContext:
    """How a connection to Redis is encrypted that redis-py does not make. Raises UsageError: ``caFile`` is unusable."""
    return clients_tls.context(target.ca_file, "redis.caFile")


@contextmanager
def translated(where: str) -> Generator[None]:
    """Turn errors of redis-py into errors of this program."""
    try:
        yield
    except lazy.redis.RedisError as error:
        raise translation(error, where) from None


def translation(error: lazy.redis.RedisError, where: str) -> OpsError:
    """The error of this program: the class that redis-py gives the server's answer decides."""
    exceptions = lazy.redis.exceptions
    said = one_line(str(error))
    text = f"Redis at {where}: {said or type(error).__name__}"
    refusals = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
    # Before the lost connections: redis-py counts a refused login among them.
    if isinstance(error, refusals) or said.lower().startswith("unknown command"):
        return UsageError(text)
    if said.startswith("DENIED"):
        # Redis itself says in 600 characters more what could be done.
        return UsageError(f"{text.partition('. ')[0]}; {_PROTECTED}")
    if advice := _advice(error, said):
        return UsageError(f"{text}; {advice}")
    passing = (
        exceptions.ConnectionError,
        exceptions.TimeoutError,
        exceptions.OutOfMemoryError,
        exceptions.TryAgainError,
        exceptions.ClusterDownError,
    )
    advice = _PASSING.get(said.partition(" ")[0])
    if advice:
        # Redis itself says in several sentences more what could be done.
        return TemporaryError(f"{text.partition('. ')[0].removesuffix('.')}{advice}")
    return TemporaryError(text) if isinstance(error, passing) or advice is not None else CheckFailedError(text)


def _advice(error: lazy.redis.RedisError, said: str) -> str:
    """What to do where the settings name a server that cannot be worked with; empty where they do not."""
    exceptions = lazy.redis.exceptions
    if clients_tls.mistaken(error):
        return _CHECK_TLS
    if isinstance(error, exceptions.ReadOnlyError):
        return "name the primary in the settings"
    moved = (exceptions.AskError, exceptions.ClusterCrossSlotError)
    return _NO_CLUSTER if isinstance(error, moved) or said.endswith("not allowed in cluster mode") else ""


def unconnected(error: OSError, where: str) -> OpsError:
    """The error of this program for a connection that redis-py has not made."""
    text = f"Redis at {where}: {error.strerror or error}"
    return UsageError(f"{text}; {_CHECK_TLS}") if clients_tls.mistaken(error) else TemporaryError(text)


def info(client: lazy.redis.Redis, section: str | None = None) -> Mapping[str, Any]:
    """What INFO tells, of a section or of all; numbers are numbers."""
    untyped: Any = client
    return untyped.info(section)


def acl_users(client: lazy.redis.Redis) -> Mapping[str, list[str]]:
    """The words of each ACL user's rules by its name; hashes of passwords are among them."""
    untyped: Any = client
    lines: list[bytes | str] = untyped.acl_list()
    words = [(line if isinstance(line, str) else line.decode(errors="replace")).split(" ") for line in lines]
    return {name: rules for _, name, *rules in words}


def keys(client: lazy.redis.Redis, pattern: str) -> Iterator[list[bytes]]:
    """The keys that match, batch by batch.

    A key that exists all the time is met at least once, and twice at times: that is what SCAN promises.
    """
    untyped: Any = client
    cursor = 0
    while True:
        cursor, found = untyped.scan(cursor, match=pattern, count=_BATCH)
        if found:
            yield found
        if cursor == 0:
            return


def unlink(client: lazy.redis.Redis, names: Sequence[bytes]) -> int:
    """Remove keys; their memory is freed in the background. How many there were."""
    untyped: Any = client
    return int(untyped.unlink(*names))


def measure(client: lazy.redis.Redis, names: Sequence[bytes], samples: int) -> list[tuple[str, int]]:
    """Type and size in bytes of each key, measured on ``samples`` of its elements; size 0 for one that is gone."""
    untyped: Any = client
    with untyped.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.type(name)
            pipeline.memory_usage(name, samples=samples)
        answers = pipeline.execute()
    kinds, sizes = answers[::2], answers[1::2]
    return [(kind.decode(), int(size or 0)) for kind, size in zip(kinds, sizes, strict=True)]
