"""Redis: the few commands that the services use, with plain types."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

import redis

from .config import RedisConfig
from .errors import DependencyError, first_line

_SECONDS: Final = 2.0


class _Login(redis.CredentialProvider):
    def __init__(self, user: str, file: Path) -> None:
        self._user = user
        self._file = file

    def get_credentials(self) -> tuple[str, str]:
        # Read at each connect: a rotated password is used without a restart.
        return self._user, self._file.read_text().strip()


class Cache:
    """One connection pool; every method raises `DependencyError` when Redis does not answer."""

    def __init__(self, config: RedisConfig) -> None:
        encrypted: dict[str, Any] = {"ssl": True, "ssl_ca_certs": config.ca_file} if config.tls else {}
        # Any: the client's annotations mix its synchronous and asynchronous answers.
        self._client: Any = redis.Redis(
            host=config.host,
            port=config.port,
            credential_provider=_Login(config.user, config.password_file) if config.password_file else None,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            decode_responses=True,
            **encrypted,
        )

    def check(self) -> None:
        """One round trip."""
        self._do(self._client.ping)

    def get_many(self, keys: Iterable[str]) -> dict[str, str]:
        """The values of the keys that exist."""
        wanted = list(keys)
        values = cast("list[str | None]", self._do(lambda: self._client.mget(wanted)))
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not None}

    def set_many(self, values: Mapping[str, str], seconds: int) -> None:
        """Set keys that expire after `seconds`."""
        pipe = self._client.pipeline(transaction=False)
        for key, value in values.items():
            pipe.set(key, value, ex=seconds)
        self._do(pipe.execute)

    def add_prices(self, prices: Mapping[str, list[float]]) -> None:
        """Add to each coin's aggregate `analytics:<coin>`: count, sum, last."""
        pipe = self._client.pipeline(transaction=True)
        for coin, values in prices.items():
            key = f"analytics:{coin}"
            pipe.hincrby(key, "count", len(values))
            pipe.hincrbyfloat(key, "sum", sum(values))
            pipe.hset(key, "last", str(values[-1]))
        self._do(pipe.execute)

    def aggregate(self, coin: str) -> dict[str, str]:
        """A coin's aggregate; empty before the first price."""
        return cast("dict[str, str]", self._do(lambda: self._client.hgetall(f"analytics:{coin}")))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _do(self, command: Any) -> object:
        try:
            return command()
        except (redis.RedisError, OSError) as error:
            raise DependencyError("redis", first_line(error)) from error
