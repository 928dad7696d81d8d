"""``ops restore redis``: load the backup into a throwaway server, stage it in the running Redis, then swap.

Redis ignores a dump.rdb where its append-only file is on, and overwrites it when it shuts down. Here every key comes in
by RESTORE and the databases change places by SWAPDB: commands that Redis writes into its append-only file like any
other. Until the swap, which is one transaction, clients see nothing; a run that is killed before leaves the data as it
was, and one that is killed after leaves old data in databases that its lock names and the next run empties.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import lazy, log
from scripts.backup import redis_copy, redis_scratch, redis_staging
from scripts.backup.catalog import Catalog, Selection
from scripts.backup.manifest import AclUser, Keyspace, RedisManifest
from scripts.backup.redis_scratch import Loaded
from scripts.clients import redis_server
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, Stop, UsageError
from scripts.output import Outcome, confirm, say

_OLDEST: Final = 7
# How far the throwaway server's clock may be ahead (seconds): what has expired by it alone is not restored.
_AHEAD: Final = 5


_PROBE: Final = b"ops:restore:probe"
# Some set-ups rename them away, and those that empty a database are missed only once it is swapped.
_COMMANDS: Final = ("FLUSHDB", "SWAPDB", "RESTORE", "EVAL", "MULTI")


@dataclass(slots=True)
class _Result:
    """What a restore has done: ``swapped`` says that the data is that of the backup.

    ``functions`` is why the libraries are those from before, ``users`` are the ACL users that were made.
    """

    swapped: bool = False
    keys: int = 0
    functions: str | None = None
    users: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    libraries: int = 0
    method: str = ""

    def done(self, functions: str | None) -> None:
        """The databases have changed places."""
        self.swapped, self.functions = True, functions


def run(settings: OpsSettings, selection: Selection, *, unsigned: bool, confirmed: bool, dry_run: bool) -> Outcome:
    """Restore Redis to the moment of a backup: every database of it is replaced, and others are emptied.

    Raises:
        UsageError: no such backup, no room for it, no throwaway server that reads it, or no confirmation.
        CheckFailedError: the backup is damaged, or what was staged is not what is in it.
        TemporaryError: another restore is running, or something does not answer.
    """
    bucket = Bucket(settings.backup)
    manifest = Catalog(bucket, settings, RedisManifest).choose(selection, unsigned=unsigned)
    with redis_server.connect(settings.redis.operated) as client:
        before = _check(client, manifest)
        last = redis_staging.databases(client).last
    if dry_run:
        return _would(manifest, before)
    if not confirmed:
        _confirm(manifest, before)
    clock, result = time.monotonic(), _Result()
    try:
        with (
            redis_scratch.loaded(settings, bucket, manifest, None) as source,
            redis_server.connect(settings.redis.operated, last) as client,
        ):
            _restore(client, redis_server.address(settings.redis), manifest, source, result)
    except Stop as stop:
        if not result.swapped:
            raise
        log.warning("told to end after the swap", reason=str(stop))
    log.info("restore complete", id=manifest.id, keys=result.keys)
    return _done(manifest, result, time.monotonic() - clock)


def _check(client: lazy.redis.Redis, manifest: RedisManifest) -> int:
    """Raise unless the server can take the backup; how many keys it has now."""
    facts = redis_server.info(client)
    where = "this Redis"
    if facts.get("role") != "master":
        raise UsageError(f"{where} is a replica; restore into its master")
    if int(facts.get("cluster_enabled", 0)):
        raise UsageError(f"{where} is a cluster, which has no second database to restore into")
    if int(str(facts["redis_version"]).partition(".")[0]) < _OLDEST:
        raise UsageError(f"{where} is of version {facts['redis_version']}; a restore needs {_OLDEST}.0 or newer")
    used, most = int(facts["used_memory"]), int(facts.get("maxmemory", 0))
    if most and used + manifest.used_memory_bytes > most:
        raise UsageError(
            f"the backup needs about {size(manifest.used_memory_bytes)} beside the {size(used)} in use, and maxmemory "
            f"is {size(most)}: old keys would be evicted; raise maxmemory meanwhile, or empty Redis first (FLUSHALL)"
        )
    _check_commands(client)
    redis_staging.check(client, [space.index for space in manifest.databases])
    untyped: Any = client
    # There is none: what keeps this Redis from writing is told before hours of loading.
    untyped.delete(_PROBE)
    there = redis_staging.databases(client)
    return redis_staging.users_databases(client, there.last).total


def _check_commands(client: lazy.redis.Redis) -> None:
    """Raise where a command is renamed away, without which a restore would leave its copy and its lock behind."""
    untyped: Any = client  # redis-py does not type this method
    answers = untyped.execute_command("COMMAND INFO", *_COMMANDS)
    if gone := [name for name, answer in zip(_COMMANDS, answers, strict=True) if not answer]:
        raise UsageError(
            f"this Redis has no {', '.join(gone)} (rename-command): a restore needs it; start Redis with it meanwhile"
        )


def _confirm(manifest: RedisManifest, before: int) -> None:
    moment = f"{manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z}"
    confirm(
        f"replaces {before} keys of Redis",
        f"Replace {before:,} keys by the state of {moment} ({_about(manifest)} keys)?",
    )


def _about(manifest: RedisManifest) -> str:
    return f"{'' if manifest.exact else 'about '}{manifest.total:,}"


def _restore(client: lazy.redis.Redis, where: str, manifest: RedisManifest, source: Loaded, result: _Result) -> None:
    version = redis_scratch.rdb_version(client)
    if version < source.rdb_version:
        raise UsageError(
            f"Redis at {where} reads up to RDB {version}, and the throwaway server, Redis {source.version}, gives RDB "
            f"{source.rdb_version}; install the redis-server of the version at {where}"
        )
    with source.connect() as throwaway:
        check_clocks(redis_staging.clock(throwaway), redis_staging.clock(client), source.spaces)
    staging = redis_staging.claim(client, [space.index for space in source.spaces])
    result.counts, result.libraries, result.method = source.counts, source.libraries, source.method
    try:
        result.keys = redis_copy.copy(source, staging, manifest, keep=True)
        there = redis_staging.databases(client)
        kept = {*staging.staged, *staging.staged.values(), there.last}
        staging.swap(source.functions, [number for number in there.spaces if number not in kept], result.done)
    finally:
        # After the swap they hold what was before.
        staging.try_to_release()
    result.users = _make_users(client, manifest)


def check_clocks(here: int, there: int, spaces: Collection[Keyspace]) -> None:
    """Raise UsageError where this machine's clock would let keys expire that Redis still has (both in milliseconds)."""
    ahead = (here - there) // 1000
    if ahead > _AHEAD and any(space.expiring for space in spaces):
        raise UsageError(
            f"this machine's clock is {duration(ahead)} ahead of that of Redis, and keys that expire would be lost; "
            "set it right"
        )


def _make_users(client: lazy.redis.Redis, manifest: RedisManifest) -> tuple[str, ...]:
    """Make the ACL users that are missing, without a password and switched off. Their names."""
    made: list[str] = []
    try:
        there = set(redis_server.acl_users(client)) if manifest.users else set[str]()
        for user in manifest.users or ():
            if user.name not in there:
                _make(client, user)
                made.append(user.name)
    except lazy.redis.RedisError as error:
        log.warning("the ACL users of the backup are not made", reason=str(error))
    return tuple(made)


def _make(client: lazy.redis.Redis, user: AclUser) -> None:
    untyped: Any = client
    untyped.execute_command("ACL SETUSER", user.name, "reset", *user.rules, "resetpass", "off")


def _would(manifest: RedisManifest, before: int) -> Outcome:
    return Outcome(
        {"dry_run": True, "id": manifest.id, "keys": manifest.total, "replaces": before},
        say(
            f"Would replace {before:,} keys by the {_about(manifest)} of backup {manifest.id}.",
            "Nothing was changed.",
        ),
    )


def _done(manifest: RedisManifest, result: _Result, seconds: float) -> Outcome:
    expired = sum(result.counts.values()) - result.keys
    if result.functions is not None:
        raise CheckFailedError(
            f"the {result.keys:,} keys of backup {manifest.id} are back, its functions are not: {result.functions}; "
            "they are those from before"
        )
    data: dict[str, object] = {
        "id": manifest.id,
        "snapshot_at": manifest.snapshot_at.isoformat(timespec="seconds"),
        "keys": result.keys,
        "expired": expired,
        "databases": dict(result.counts),
        "functions": result.libraries,
        "users": list(result.users),
        "verified": result.method,
        "seconds": round(seconds, 3),
    }
    lines = [
        f"Redis is as it was at {manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z} (backup {manifest.id}).",
        f"{result.keys:,} keys, all counts equal, in {duration(seconds)}; {expired:,} more have expired since.",
    ]
    if manifest.users is None:
        lines.append("Its ACL users are not in the backup.")
    if result.users:
        lines.append(
            f"Made without a password and switched off: ACL users {', '.join(result.users)}. Give each the password of "
            "its Secret and switch it on (ACL SETUSER NAME on); ACL SAVE, where users have a file."
        )
    return Outcome(data, say(*lines))
