"""Databases of the running Redis that nobody uses, in which a backup is put together before it is swapped in.

A marker key says that a database is a restore's, and when it was last at work: a run that was killed leaves a marker
that grows old, and the next one empties what it marks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from scripts import lazy, log
from scripts.exits import TemporaryError, UsageError

MARKER: Final = b"ops:restore:staging"
# A restore renews its markers with every batch, which takes well below a second.
_DEAD_SECONDS: Final = 120
_DATABASES: Final = 16


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases of a server: keys by number, and how many numbers there are."""

    keys: dict[int, int]
    count: int


def clock(client: lazy.redis.Redis) -> int:
    """The server's own time in milliseconds since 1970: it decides what has expired."""
    untyped: Any = client
    seconds, micros = untyped.time()
    return seconds * 1000 + micros // 1000


def databases(client: lazy.redis.Redis) -> Databases:
    """What the server has."""
    found = cast("dict[str, dict[str, int]]", client.info("keyspace"))  # pyright: ignore[reportUnknownMemberType] - no exact types
    try:
        told: Any = client.config_get("databases")  # pyright: ignore[reportUnknownMemberType] - no exact types
    except lazy.redis.ResponseError:
        # A managed Redis has no CONFIG; 16 is what every one has.
        told = {}
    return Databases(
        {int(name[2:]): int(entry["keys"]) for name, entry in found.items()}, int(told.get("databases", _DATABASES))
    )


def transaction(client: lazy.redis.Redis) -> Any:
    """Commands that the server runs together or not at all."""
    untyped: Any = client
    return untyped.pipeline(transaction=True)


def execute(client: lazy.redis.Redis, database: int, *commands: tuple[Any, ...]) -> list[Any]:
    """Run commands in a database, as one transaction."""
    pipeline = transaction(client)
    pipeline.execute_command("SELECT", database)
    for command in commands:
        pipeline.execute_command(*command)
    pipeline.execute_command("SELECT", 0)
    return cast("list[Any]", pipeline.execute())[1:-1]


def clear_stale(client: lazy.redis.Redis) -> list[int]:
    """Empty what killed runs have left. Their numbers.

    Raises:
        TemporaryError: another restore is at work.
    """
    stale: list[int] = []
    now = clock(client) // 1000
    for index in sorted(databases(client).keys):
        marker = cast("bytes | None", execute(client, index, ("GET", MARKER))[0])
        if marker is None:
            continue
        if now - int(marker) < _DEAD_SECONDS:
            raise TemporaryError(
                f"another restore of Redis is running in its database {index}, or was killed a moment ago; "
                f"run again in {_DEAD_SECONDS} s"
            )
        log.warning("emptying what an earlier run left behind", database=index)
        execute(client, index, ("FLUSHDB", "ASYNC"))
        stale.append(index)
    return stale


def claim(client: lazy.redis.Redis, wanted: Iterable[int]) -> dict[int, int]:
    """A free database for each of ``wanted``: theirs by number.

    Raises:
        UsageError: there are not enough.
        TemporaryError: another restore was faster.
    """
    there = databases(client)
    wanted = sorted(wanted)
    free = [index for index in range(there.count - 1, -1, -1) if index not in there.keys and index not in wanted]
    if any(index >= there.count for index in wanted) or len(free) < len(wanted):
        raise UsageError(
            f"Redis has {there.count} databases, and a restore needs {len(wanted)} that are free beside those of the "
            "backup; set `databases` higher"
        )
    claimed = dict(zip(wanted, free, strict=False))
    now = clock(client) // 1000
    for number, index in enumerate(claimed.values()):
        if not execute(client, index, ("SET", MARKER, now, "NX"))[0]:
            release(client, list(claimed.values())[:number])
            raise TemporaryError("another restore of Redis was faster; run again")
    return claimed


def try_to_release(client: lazy.redis.Redis, claimed: Iterable[int]) -> None:
    """Empty databases that were claimed; where the server no longer answers, the next restore does."""
    try:
        release(client, claimed)
    except lazy.redis.RedisError as error:
        log.warning("could not empty; the next restore does", databases=sorted(claimed), reason=str(error))


def release(client: lazy.redis.Redis, claimed: Iterable[int]) -> None:
    """Empty databases that were claimed."""
    for index in claimed:
        execute(client, index, ("FLUSHDB", "ASYNC"))
