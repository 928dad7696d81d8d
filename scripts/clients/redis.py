"""Redis: the few commands that this program uses, typed, with errors in its own terms.

Nothing here holds Redis up: keys are walked by SCAN and freed by UNLINK, in batches (defect 11).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from runbook.ops_settings import RedisTarget
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError
from scripts.output import one_line

if TYPE_CHECKING:
    from redis import RedisError

_SECONDS: Final = 10.0
# One step takes Redis well under a millisecond; other clients are served between two steps.
_BATCH: Final = 500


class Redis:
    """A server. Every method raises ``OpsError`` with the server's address in its line."""

    def __init__(self, client: Any, address: str) -> None:
        # Any: the client's types mix the answers of its blocking and its asynchronous kind.
        self._client = client
        self.address = address

    def ping(self) -> None:
        """Raise unless it answers."""
        with self._errors():
            self._client.ping()

    def info(self, section: str) -> dict[str, Any]:
        """A section of INFO; numbers are numbers."""
        with self._errors():
            return dict(self._client.info(section))

    def keys(self, pattern: str) -> Iterator[list[bytes]]:
        """The keys that match, batch by batch.

        A key that exists all the time is met at least once, and twice at times: that is what SCAN promises.
        """
        cursor = 0
        while True:
            with self._errors():
                cursor, found = self._client.scan(cursor, match=pattern, count=_BATCH)
            if found:
                yield found
            if cursor == 0:
                return

    def unlink(self, keys: Sequence[bytes]) -> int:
        """Remove keys; their memory is freed in the background. How many there were."""
        with self._errors():
            return int(self._client.unlink(*keys))

    def measure(self, keys: Sequence[bytes], samples: int) -> list[tuple[str, int]]:
        """Type and size in bytes of each key, measured on ``samples`` of its elements; size 0 for one that is gone."""
        with self._errors(), self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.type(key)
                pipeline.memory_usage(key, samples=samples)
            answers = pipeline.execute()
        kinds, sizes = answers[::2], answers[1::2]
        return [(kind.decode(), int(size or 0)) for kind, size in zip(kinds, sizes, strict=True)]

    @contextmanager
    def _errors(self) -> Generator[None]:
        import redis

        try:
            yield
        except redis.RedisError as error:
            raise _translated(error, f"Redis at {self.address}") from None


@contextmanager
def connect(target: RedisTarget, *, seconds: float = _SECONDS) -> Generator[Redis]:
    """A connection on which each answer may take ``seconds``.

    Raises:
        TemporaryError: it does not answer, or is still loading its data.
        UsageError: it wants a login, or is a replica.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis(
        target.host,
        target.port,
        ssl=target.tls,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        client_name="ops",
    )
    try:
        yield Redis(client, f"{target.host}:{target.port}")
    finally:
        client.close()


def _translated(error: RedisError, where: str) -> OpsError:
    from redis import exceptions

    text = f"{where}: {one_line(str(error)) or type(error).__name__}"
    # The refusals of a login are connection errors to the client.
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError | exceptions.NoPermissionError):
        return UsageError(text)
    if isinstance(error, exceptions.ReadOnlyError):
        return UsageError(f"{text}; name the primary in the settings")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError):
        return TemporaryError(text)
    return CheckFailedError(text)
