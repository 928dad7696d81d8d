"""``ops backup redis``: a snapshot by the replication protocol, and what the server tells of itself meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import lazy, log
from scripts.backup import keys, parts, redis_staging, transfer, upload
from scripts.backup.keys import BackupId
from scripts.backup.manifest import AclUser, RedisManifest
from scripts.clients import redis_server, replication
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError
from scripts.output import Outcome, say

_MAGIC: Final = b"REDIS"
_HEAD_BYTES: Final = 9


def run(settings: OpsSettings, *, dry_run: bool = False) -> Outcome:
    """Back Redis up.

    Raises:
        UsageError: the bucket is not as it must be, or Redis refuses a replica.
        TemporaryError: Redis or the bucket does not answer, or the snapshot ended early. Nothing is visible.
        CheckFailedError: what the server sends is no RDB.
    """
    bucket, prefix, signer = transfer.opened(settings.backup, keys.REDIS)
    with redis_server.connect(settings.redis) as client:
        facts = redis_server.info(client)
    used = int(facts["used_memory"])
    if dry_run:
        return _would(settings, used, str(facts["redis_version"]))
    started = bucket.now(prefix)
    upload.abort_stale(bucket, prefix, started - transfer.STALE)
    manifest = _transfer(settings, bucket, used, started)
    transfer.publish(bucket, settings.backup, manifest, signer)
    return _done(settings, manifest)


@dataclass(slots=True)
class _Head:
    """The first bytes of an RDB, which name its version."""

    seen: bytes = b""

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """``chunks`` themselves. Raises CheckFailedError: they are no RDB."""
        for chunk in chunks:
            if len(self.seen) < _HEAD_BYTES:
                self.seen += chunk[: _HEAD_BYTES - len(self.seen)]
            yield chunk
        _ = self.version

    @property
    def version(self) -> int:
        magic, digits = self.seen[: len(_MAGIC)], self.seen[len(_MAGIC) :]
        if magic != _MAGIC or not digits.isdigit():
            raise CheckFailedError(f"Redis's snapshot is no RDB: it begins with {self.seen!r}")
        return int(digits)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the server tells of itself while it sends its snapshot."""

    version: str
    libraries: int
    databases: redis_staging.Databases
    users: tuple[AclUser, ...] | None


def _facts(settings: OpsSettings) -> _Facts:
    with redis_server.connect(settings.redis) as client:
        facts = redis_server.info(client)
        last = redis_staging.databases(client).last
        there = redis_staging.users_databases(client, last)
        if last in there.spaces:
            log.warning(
                "the last database is kept for ops: a restore of its keys needs a server with more `databases`",
                database=last,
                keys=there.spaces[last].keys,
            )
        # Before Redis 7 there are no functions.
        libraries = int(facts.get("number_of_libraries", 0))
        return _Facts(str(facts["redis_version"]), libraries, there, _users(client))


def _users(client: lazy.redis.Redis) -> tuple[AclUser, ...] | None:
    """The ACL users without their passwords; None where the login may not list them, or the server knows none."""
    try:
        users = redis_server.acl_users(client)
    except lazy.redis.ResponseError as error:
        log.warning("the ACL users are not in the backup", reason=str(error))
        return None
    return tuple(AclUser(name=name, rules=_rules(rules)) for name, rules in users.items())


def _rules(words: list[str]) -> tuple[str, ...]:
    """Rules without what opens a login: hashes of passwords, `nopass`, and whether the user is switched on."""
    return tuple(word for word in words if word not in ("on", "off", "nopass") and word[:1] not in ("#", ">"))


def _transfer(settings: OpsSettings, bucket: Bucket, used: int, started: datetime) -> RedisManifest:
    clock = time.monotonic()
    backup, head = BackupId.new(started), _Head()
    with replication.snapshot(settings.redis) as chunks:
        # The server has answered and forks now: what it holds at this moment is what it sends.
        taken = started + timedelta(seconds=time.monotonic() - clock)
        facts = _facts(settings)
        log.info("snapshot started", server=f"{settings.redis.host}:{settings.redis.port}", expected_bytes=used)
        package = transfer.store(
            bucket,
            settings.backup,
            keys.REDIS,
            backup,
            head.passing(chunks),
            parts.part_size(used),
        )
    seconds = round(time.monotonic() - clock, 3)
    return RedisManifest(
        **dict[str, Any](package),
        kind="redis",
        id=str(backup),
        server_version=facts.version,
        rdb_version=head.version,
        used_memory_bytes=used,
        functions=facts.libraries,
        databases=tuple(facts.databases.spaces[number] for number in sorted(facts.databases.spaces)),
        exact=False,
        server_databases=facts.databases.count,
        users=facts.users,
        started_at=started,
        snapshot_at=taken,
        finished_at=started + timedelta(seconds=seconds),
        duration_seconds=seconds,
    )


def _would(settings: OpsSettings, used: int, version: str) -> Outcome:
    where = f"s3://{settings.backup.bucket}/{keys.folder(settings.backup.prefix, keys.REDIS)}"

    return Outcome(
        {"dry_run": True, "target": where, "used_memory_bytes": used},
        say(
            f"Would take a snapshot of Redis {version} ({size(used)} in memory)",
            f"into {where}. Nothing was written.",
        ),
    )


def _done(settings: OpsSettings, manifest: RedisManifest) -> Outcome:
    data: dict[str, object] = {
        "id": manifest.id,
        "bucket": settings.backup.bucket,
        "keys": manifest.total,
        "databases": dict(manifest.counts),
        "functions": manifest.functions,
        "uncompressed_bytes": manifest.uncompressed.bytes,
        "stored_bytes": manifest.stored.bytes,
        "encrypted": manifest.encryption is not None,
        "seconds": manifest.duration_seconds,
    }

    shown = say(
        f"Backup {manifest.id} of Redis {manifest.server_version} is complete.",
        f"About {manifest.total:,} keys in {len(manifest.databases)} databases, {size(manifest.uncompressed.bytes)} as "
        f"{size(manifest.stored.bytes)} in {duration(manifest.duration_seconds)}",
    )
    return Outcome(data, shown)
