"""A restore's lock, and the free databases of the running Redis in which it puts a backup together.

The server's last database is kept for ops. A running restore has one key there, ``LOCK``: a hash with its random token,
its state, when it was last at work, and each of its databases with the most keys that it has put there. Every step asks
for the token, in the same transaction, and renews the lock. Keys of other databases decide nothing.

A run that was killed leaves a lock that grows old: the next one empties the databases that it names, and a backup
leaves them out.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias, cast

from scripts import lazy, log
from scripts.backup.manifest import Keyspace, shortened
from scripts.clients import redis_server
from scripts.exits import CheckFailedError, OpsError, Stop, TemporaryError, UsageError

LOCK: Final = b"ops:restore"
# What an older ops put into the databases of a restore.
_OLD_MARK: Final = b"ops:restore:staging"
# A restore renews its lock with every batch, which takes well below a second.
_DEAD_SECONDS: Final = 120
_DATABASES: Final = 16
# The bytes that Redis takes as one value and as one command, where nothing else is set.
_LIMITS: Final = {"proto-max-bulk-len": 512 * 2**20, "client-query-buffer-limit": 2**30}
_PREFIX: Final = b"db:"
_LOST: Final = "the lock of this restore is gone: another one has taken over, or its database was emptied; run again"
# One step of a restore, which is not taken where the lock is another's. A script takes a fifth of the time of a
# transaction, in which each command is answered twice.
_PUT: Final = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return false end
redis.call('HSET', KEYS[1], 'renewed', ARGV[2], 'db:' .. ARGV[3], ARGV[4])
redis.call('SELECT', ARGV[3])
for at = 6, #ARGV, 3 do
  redis.call('RESTORE', ARGV[at], ARGV[at + 1], ARGV[at + 2], 'REPLACE', 'ABSTTL')
end
local found = redis.call('DBSIZE')
if ARGV[5] == '' then redis.call('FLUSHDB') end
return found
"""
# What redis-py puts before the server's answer holds the beginning of the command, and so of a user's value.
_ANNOTATION: Final = " of pipeline caused error: "

State: TypeAlias = Literal["loading", "swapped"]
Command: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases of a server that have keys, by number, and how many numbers there are."""

    spaces: Mapping[int, Keyspace]
    count: int

    @property
    def last(self) -> int:
        """The number of the one that is kept for ops."""
        return self.count - 1

    @property
    def total(self) -> int:
        """All keys."""
        return sum(space.keys for space in self.spaces.values())

    def without(self, numbers: Iterable[int]) -> Databases:
        """The same server without some of its databases."""
        left = set(self.spaces) - set(numbers)
        return Databases({number: self.spaces[number] for number in sorted(left)}, self.count)


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a restore: ``renewed`` in seconds since 1970 by Redis's clock, ``put`` the most keys by database."""

    token: bytes
    state: bytes
    renewed: int
    put: Mapping[int, int]

    @classmethod
    def parse(cls, fields: Mapping[bytes, bytes]) -> Self | None:
        """The lock in a hash, None where it is none."""
        try:
            put = {int(name[len(_PREFIX) :]): int(count) for name, count in fields.items() if name.startswith(_PREFIX)}
            return cls(fields[b"token"], fields[b"state"], int(fields[b"renewed"]), put)
        except (KeyError, ValueError):
            return None


def clock(client: lazy.redis.Redis) -> int:
    """The server's own time in milliseconds since 1970: it decides what has expired."""
    untyped: Any = client
    seconds, micros = untyped.time()
    return seconds * 1000 + micros // 1000


def databases(client: lazy.redis.Redis) -> Databases:
    """What the server has."""
    found = cast("dict[str, dict[str, int]]", redis_server.info(client, "keyspace"))
    spaces = [
        Keyspace(index=int(name[2:]), keys=entry["keys"], expiring=entry["expires"]) for name, entry in found.items()
    ]
    try:
        told: Any = client.config_get("databases")  # pyright: ignore[reportUnknownMemberType] - no exact types
    except lazy.redis.ResponseError:
        # A managed Redis has no CONFIG; 16 is what every one has.
        told = {}
    return Databases({space.index: space for space in spaces}, int(told.get("databases", _DATABASES)))


def longest_value(client: lazy.redis.Redis) -> int:
    """How many bytes the server takes as one value, and as one command."""
    try:
        told: Any = client.config_get(*_LIMITS)  # pyright: ignore[reportUnknownMemberType] - no exact types
    except lazy.redis.ResponseError:
        told = {}
    return min(int(told.get(name, least)) for name, least in _LIMITS.items())


def lock_in(client: lazy.redis.Redis, database: int) -> Lock | None:
    """The lock in a server's last database, and None where there is none."""
    if execute(client, database, ("TYPE", LOCK)) != [b"hash"]:
        return None
    return Lock.parse(execute(client, database, ("HGETALL", LOCK))[0])


def users_databases(client: lazy.redis.Redis, last: int) -> Databases:
    """What the server has beside the databases of a restore: ``last`` is the number of the one with its lock."""
    there = databases(client)
    try:
        lock = lock_in(client, last) if last in there.spaces else None
    except lazy.redis.exceptions.NoPermissionError as error:
        log.warning("may not look for a running restore", database=last, reason=str(error))
        return there
    if lock is None:
        return there
    return there.without((*lock.put, last) if there.spaces[last].keys == 1 else lock.put)


def execute(client: lazy.redis.Redis, database: int, *commands: Command) -> list[Any]:
    """Run commands in a database, as one transaction."""
    untyped: Any = client
    own: int = untyped.get_connection_kwargs()["db"]
    steps: list[Command] = [("SELECT", database), *commands, ("SELECT", own)]
    with _transaction(client) as pipeline:
        for command in steps:
            pipeline.execute_command(*command)
        return _run(pipeline)[1:-1]


def check(client: lazy.redis.Redis, wanted: Collection[int]) -> Lock | None:
    """Raise unless a restore of the databases ``wanted`` may begin; the lock that a killed run has left.

    Raises:
        TemporaryError: another restore is at work.
        UsageError: the last database holds what is not ops's, or there are too few databases.
    """
    there = databases(client)
    highest = max(wanted, default=0)
    # Each of the backup's needs another one beside it, below or above it.
    needed = highest + 2 + max(0, len(wanted) - len(set(range(highest)) - set(wanted) - there.spaces.keys()))
    if there.count <= highest + 1:
        raise UsageError(
            f"the backup has keys in database {highest}, and this Redis has {there.count} databases: a restore needs "
            f"{len(wanted)} that are free, and the last for its lock; set `databases` to {needed} or more"
        )
    if there.last not in there.spaces:
        return None
    lock = lock_in(client, there.last)
    if lock is None or there.spaces[there.last].keys != 1:
        raise UsageError(_occupied(client, there, lock))
    age = clock(client) // 1000 - lock.renewed
    if age < _DEAD_SECONDS:
        raise TemporaryError(
            f"another restore of Redis is running (at work {max(age, 0)} s ago), or was killed a moment ago; run again "
            f"in {_DEAD_SECONDS} s"
        )
    return lock


def _occupied(client: lazy.redis.Redis, there: Databases, lock: Lock | None) -> str:
    """What a person is told whose keys stand in ops's database."""
    count = there.spaces[there.last].keys - (lock is not None)
    _, found = execute(client, there.last, ("SCAN", 0, "COUNT", 10))[0]
    names = shortened([repr(name)[1:] for name in sorted(found) if name != LOCK], "keys")
    old, *_ = execute(client, there.last, ("EXISTS", _OLD_MARK))
    hint = f"; {_OLD_MARK.decode()} is what a killed restore of an older ops leaves there" if old else ""
    return (
        f"database {there.last}, the last of Redis, is kept for ops and holds {count} other keys ({names}){hint}; move "
        f"them away (MOVE), drop them (redis-cli -n {there.last} FLUSHDB), or set `databases` higher"
    )


class Staging:
    """A held lock with a database for each of a backup's: ``staged`` has their numbers."""

    def __init__(self, client: lazy.redis.Redis, last: int, staged: Mapping[int, int]) -> None:
        self.client = client
        self.staged = staged
        self._last = last
        self._token = secrets.token_hex(16).encode()
        self._put = dict.fromkeys(staged.values(), 0)
        # One reading of the server's clock: asking it before every step would cost an exchange each.
        self._offset = clock(client) / 1000 - time.monotonic()

    @property
    def _now(self) -> int:
        return int(self._offset + time.monotonic())

    def take(self) -> None:
        """Take the lock.

        Raises:
            TemporaryError: another restore was faster.
        """
        put = [part for number in self._put for part in (f"db:{number}", 0)]
        with _held(self.client, None, "another restore of Redis was faster; run again") as pipeline:
            pipeline.hset(LOCK, items=["token", self._token, "state", "loading", "renewed", self._now, *put])
            _run(pipeline)

    def put(self, database: int, keys: Iterable[tuple[bytes, int, bytes]], *, keep: bool) -> int:
        """Bring keys into a staging database: each with its expiry (ms since 1970, 0: none) and its value of DUMP.

        How many are there then; without ``keep`` the database is empty again.

        Raises:
            TemporaryError: the lock is another's meanwhile. Nothing was changed.
        """
        parts = [part for key in keys for part in key]
        most = self._put[database] = (self._put[database] if keep else 0) + len(parts) // 3
        untyped: Any = self.client
        found = untyped.eval(_PUT, 1, LOCK, self._token, self._now, database, most, "keep" if keep else "", *parts)
        if found is None:
            raise TemporaryError(_LOST)
        return int(found)

    def swap(self, functions: bytes, emptied: Sequence[int], done: Callable[[str | None], None]) -> None:
        """Let all databases change places with the staged ones at once, replace the functions and empty ``emptied``.

        ``functions`` is what FUNCTION DUMP gave. Once it has happened, ``done`` is called, whatever ends this run: with
        the reason why the functions are as before, where they are.
        """
        commands: list[Command] = [("FUNCTION RESTORE", functions, "FLUSH")]
        commands += [("SWAPDB", number, stage) for number, stage in self.staged.items()]
        commands += [part for number in emptied for part in (("SELECT", number), ("FLUSHDB", "ASYNC"))]
        commands += [("SELECT", self._last), ("HSET", LOCK, "state", "swapped", "renewed", self._now)]
        try:
            with _held(self.client, self._token, _LOST) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                failed, *others = _run(pipeline, partly=True)
            done(str(failed) if isinstance(failed, Exception) else None)
        except BaseException:
            # Where the transaction was faster than what ended it, the swap is done and must be reported as done.
            if not self.swapped():
                raise
            done(None)
            return
        for error in others:
            if isinstance(error, Exception):
                raise CheckFailedError(f"the swap is not whole: {error}")

    def swapped(self) -> bool:
        """Whether the databases have changed places."""
        untyped: Any = self.client
        return untyped.hmget(LOCK, "token", "state") == [self._token, b"swapped"]

    def release(self) -> None:
        """Empty the databases and give the lock back."""
        state = b"swapped" if self.swapped() else b"loading"
        _end(self.client, self._last, Lock(self._token, state, 0, self._put))

    def try_to_release(self) -> None:
        """The same; where that fails, the next restore does it."""
        try:
            self._try_to_release()
        except Stop:
            # It comes once: what it has cut off is done now.
            self._try_to_release()
            raise

    def _try_to_release(self) -> None:
        try:
            self.release()
        except (OpsError, lazy.redis.RedisError) as error:
            log.warning(
                "could not empty; the next restore does", databases=sorted(self.staged.values()), reason=str(error)
            )


def claim(client: lazy.redis.Redis, wanted: Iterable[int]) -> Staging:
    """The lock, with a free database for each of ``wanted``; ``client`` works in the last database.

    What a killed run has left is emptied first.

    Raises:
        TemporaryError: another restore is at work.
        UsageError: there are not enough databases, or the last one holds what is not ops's.
    """
    wanted = sorted(wanted)
    stale = check(client, wanted)
    there = databases(client)
    if stale is not None:
        log.warning("emptying what an earlier run left behind", databases=sorted(stale.put))
        _end(client, there.last, stale)
        there = databases(client)
    free = [number for number in range(there.last - 1, -1, -1) if number not in there.spaces and number not in wanted]
    if len(free) < len(wanted):
        raise UsageError(
            f"Redis has {there.count} databases, and a restore needs {len(wanted)} that are free beside those of the "
            "backup and the last, which ops keeps; set `databases` to "
            f"{there.count + len(wanted) - len(free)} or more"
        )
    staging = Staging(client, there.last, dict(zip(wanted, free, strict=False)))
    staging.take()
    return staging


def _end(client: lazy.redis.Redis, last: int, lock: Lock) -> None:
    """Empty the databases of a lock and give it back. What holds more keys than a restore has put there is left."""
    found = databases(client).spaces
    emptied: list[int] = []
    for number, most in lock.put.items():
        count = found[number].keys if number in found else 0
        # After the swap they hold what was live before.
        if lock.state == b"loading" and count > most:
            log.warning("left: it holds keys that no restore has put there", database=number, keys=count, put=most)
        else:
            emptied.append(number)
    with _held(client, lock.token, _LOST) as pipeline:
        for number in emptied:
            pipeline.execute_command("SELECT", number)
            pipeline.execute_command("FLUSHDB", "ASYNC")
        pipeline.execute_command("SELECT", last)
        pipeline.execute_command("DEL", LOCK)
        _run(pipeline)


def _transaction(client: lazy.redis.Redis) -> Any:
    """Commands that the server runs together or not at all."""
    untyped: Any = client
    return untyped.pipeline(transaction=True)


@contextmanager
def _held(client: lazy.redis.Redis, token: bytes | None, lost: str) -> Generator[Any]:
    """A transaction that is not run where the lock's token is not ``token``; None: where there is a lock at all."""
    with _transaction(client) as pipeline:
        try:
            pipeline.watch(LOCK)
            if pipeline.hget(LOCK, "token") != token:
                raise TemporaryError(lost)
            pipeline.multi()
            yield pipeline
        except lazy.redis.WatchError as error:
            # redis-py says the same of a connection that broke meanwhile.
            raise TemporaryError(f"{lost}, or the connection broke: {error}") from None


def _run(pipeline: Any, *, partly: bool = False) -> list[Any]:
    """Run a transaction; with ``partly`` the error of a command stands in its place among the answers."""
    try:
        answers = cast("list[Any]", pipeline.execute(raise_on_error=False))
    except lazy.redis.ResponseError as error:
        raise _plain(error) from None
    for answer in answers:
        if isinstance(answer, Exception) and not partly:
            raise answer
    return answers


def _plain(error: lazy.redis.ResponseError) -> lazy.redis.ResponseError:
    return type(error)(str(error).rpartition(_ANNOTATION)[2])
