"""``ops restore redis``: prove the backup, put it together in free databases of the running Redis, then swap.

Redis ignores a dump.rdb where its append-only file is on, and overwrites it when it shuts down. Here every key comes in
by RESTORE and the databases change places by SWAPDB: commands that Redis writes into its append-only file like any
other. Until the swap, which is one transaction, clients see nothing; a run that is killed before leaves the data as it
was, and one that is killed after leaves old data in a marked database that the next run empties.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import lazy, log
from scripts.backup import rdb, redis_staging, trial
from scripts.backup.catalog import Catalog, Selection
from scripts.backup.manifest import RedisManifest
from scripts.backup.rdb import Function, Key, Tally
from scripts.backup.redis_staging import MARKER
from scripts.backup.transfer import Stored
from scripts.clients import redis_server
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, UsageError
from scripts.output import Outcome, confirm, say

# Keys of a batch, and bytes after which it is sent even so.
_BATCH_KEYS: Final = 500
_BATCH_BYTES: Final = 4 * 2**20


@dataclass(slots=True)
class Loaded:
    """What came into a staging database: keys without an expiry, and those with one by the second in which it is."""

    lasting: int = 0
    expiring: Counter[int] = field(default_factory=Counter[int])

    def bounds(self, now: int) -> tuple[int, int]:
        """How few and how many keys may be there at ``now`` (milliseconds): some may expire at this moment."""
        later = sum(count for second, count in self.expiring.items() if second > now // 1000)
        return self.lasting + later, self.lasting + self.expiring.total()


def run(settings: OpsSettings, selection: Selection, *, confirmed: bool, dry_run: bool) -> Outcome:
    """Restore Redis to the moment of a backup: every database of it is replaced, and others are emptied.

    Raises:
        UsageError: no such backup, no room for it, or nobody confirmed.
        CheckFailedError: the backup is damaged, or what was loaded is not what the manifest says.
        TemporaryError: another restore is running, or something does not answer.
    """
    bucket = Bucket(settings.backup)
    manifest = Catalog(bucket, settings, RedisManifest).choose(selection)
    stored = Stored(bucket, settings.backup, manifest)
    with redis_server.connect(settings.redis) as client:
        before = _check(client, manifest)
        if dry_run:
            return _would(manifest, before)
        if not confirmed:
            _confirm(manifest, before)
        clock = time.monotonic()
        proven = trial.run(settings, bucket, manifest, None)
        expired = _restore(client, manifest, stored)
    log.info("restore complete", id=manifest.id, keys=manifest.total, expired=expired)
    return _done(manifest, proven.method, expired, time.monotonic() - clock)


def _check(client: lazy.redis.Redis, manifest: RedisManifest) -> int:
    """Raise unless the server can take the backup; how many keys it has now."""
    facts = redis_server.info(client)
    where = "this Redis"
    if facts.get("role") != "master":
        raise UsageError(f"{where} is a replica; restore into its master")
    if int(facts.get("cluster_enabled", 0)):
        raise UsageError(f"{where} is a cluster, which has no second database to restore into")
    used, most = int(facts["used_memory"]), int(facts.get("maxmemory", 0))
    if most and used + manifest.used_memory_bytes > most:
        raise UsageError(
            f"the backup needs about {size(manifest.used_memory_bytes)} beside the {size(used)} in use, and maxmemory "
            f"is {size(most)}: old keys would be evicted; raise maxmemory meanwhile, or empty Redis first (FLUSHALL)"
        )
    return sum(redis_staging.databases(client).keys.values())


def _confirm(manifest: RedisManifest, before: int) -> None:
    moment = f"{manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z}"
    confirm(
        f"replaces {before} keys of Redis",
        f"Replace {before:,} keys by the state of {moment} ({manifest.total:,} keys)?",
    )


def _restore(client: lazy.redis.Redis, manifest: RedisManifest, stored: Stored) -> int:
    """Do it; how many keys have expired since the backup."""
    redis_staging.clear_stale(client)
    staged = redis_staging.claim(client, [space.index for space in manifest.databases])
    try:
        loaded = _load(client, manifest, stored, staged)
        _prove(client, manifest, staged, loaded)
        _swap(client, staged)
    except BaseException:
        redis_staging.try_to_release(client, staged.values())
        raise
    # From here on they hold what was before.
    redis_staging.try_to_release(client, staged.values())
    return manifest.total - sum(each.lasting + each.expiring.total() for each in loaded.values())


def _load(
    client: lazy.redis.Redis, manifest: RedisManifest, stored: Stored, staged: dict[int, int]
) -> dict[int, Loaded]:
    loaded = {index: Loaded() for index in staged}
    now, tally = redis_staging.clock(client), Tally()
    content = stored.content()
    batch = _Batch(client, staged)
    try:
        for item in _items(content, tally):
            if isinstance(item, Function):
                client.function_load(item.code.decode(), replace=True)  # pyright: ignore[reportUnknownMemberType] - no exact types
                continue
            if item.expires is not None and item.expires <= now:
                continue
            batch.add(item)
            told = loaded[item.database]
            if item.expires is None:
                told.lasting += 1
            else:
                told.expiring[item.expires // 1000] += 1
        batch.send()
        for _ in content:
            pass
    except rdb.DamagedError as error:
        raise stored.damaged(str(error)) from None
    if tally.keys != {space.index: space.keys for space in manifest.databases}:
        raise stored.damaged("its keys are not those of the manifest")
    return loaded


def _items(content: Iterator[bytes], tally: Tally) -> Iterator[Key | Function]:
    return rdb.walk(lambda: next(content, b""), tally, values=True)


class _Batch:
    """Keys on their way, by database; every batch renews the marker."""

    def __init__(self, client: lazy.redis.Redis, staged: dict[int, int]) -> None:
        self._client = client
        self._staged = staged
        self._keys: list[Key] = []
        self._bytes = 0

    def add(self, key: Key) -> None:
        if self._keys and (key.database != self._keys[0].database or self._bytes >= _BATCH_BYTES):
            self.send()
        self._keys.append(key)
        self._bytes += len(key.value)
        if len(self._keys) >= _BATCH_KEYS:
            self.send()

    def send(self) -> None:
        if not self._keys:
            return
        commands: list[tuple[Any, ...]] = [
            ("RESTORE", key.name, key.expires or 0, key.value, "REPLACE", "ABSTTL") for key in self._keys
        ]
        commands.append(("SET", MARKER, redis_staging.clock(self._client) // 1000))
        redis_staging.execute(self._client, self._staged[self._keys[0].database], *commands)
        self._keys.clear()
        self._bytes = 0


def _prove(
    client: lazy.redis.Redis, manifest: RedisManifest, staged: dict[int, int], loaded: dict[int, Loaded]
) -> None:
    for index, stage in staged.items():
        found = int(redis_staging.execute(client, stage, ("DBSIZE",))[0]) - 1
        least, most = loaded[index].bounds(redis_staging.clock(client))
        if not least <= found <= most:
            raise CheckFailedError(
                f"backup {manifest.id} is not restored: database {index} has {found} keys instead of {most}; "
                "Redis is unchanged"
            )


def _swap(client: lazy.redis.Redis, staged: dict[int, int]) -> None:
    """Let all of it change places at once. Databases that the backup does not have become empty."""
    others = [index for index in redis_staging.databases(client).keys if index not in (*staged, *staged.values())]
    pipeline = redis_staging.transaction(client)
    for index, stage in staged.items():
        pipeline.execute_command("SWAPDB", index, stage)
        pipeline.execute_command("SELECT", index)
        pipeline.execute_command("DEL", MARKER)
        # What was before is nobody's from now on: a run that is killed here leaves it for the next to empty.
        pipeline.execute_command("SELECT", stage)
        pipeline.execute_command("SET", MARKER, 0)
    for index in others:
        pipeline.execute_command("SELECT", index)
        pipeline.execute_command("FLUSHDB", "ASYNC")
    pipeline.execute_command("SELECT", 0)
    try:
        pipeline.execute()
    except BaseException:
        # Where the transaction was faster than what ended it, the swap is done and must be reported as done.
        if not all(redis_staging.execute(client, stage, ("GET", MARKER)) == [b"0"] for stage in staged.values()):
            raise


def _would(manifest: RedisManifest, before: int) -> Outcome:
    return Outcome(
        {"dry_run": True, "id": manifest.id, "keys": manifest.total, "replaces": before},
        say(
            f"Would replace {before:,} keys by the {manifest.total:,} of backup {manifest.id}.",
            "Nothing was changed.",
        ),
    )


def _done(manifest: RedisManifest, method: str, expired: int, seconds: float) -> Outcome:
    data: dict[str, object] = {
        "id": manifest.id,
        "snapshot_at": manifest.snapshot_at.isoformat(timespec="seconds"),
        "keys": manifest.total - expired,
        "expired": expired,
        "databases": dict(manifest.counts),
        "functions": manifest.functions,
        "verified": method,
        "seconds": round(seconds, 3),
    }

    shown = say(
        f"Redis is as it was at {manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z} (backup {manifest.id}).",
        f"{manifest.total - expired:,} keys, all counts equal, in {duration(seconds)}; "
        f"{expired:,} more have expired since.",
    )
    return Outcome(data, shown)
