"""``ops backup redis``: a snapshot by the replication protocol, its keys counted on its way into the bucket."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import log
from scripts.backup import keys, parts, rdb, stage, transfer, upload
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Keyspace, RedisManifest
from scripts.backup.pipeline import CHUNK_BYTES
from scripts.backup.rdb import DamagedError, Tally
from scripts.backup.stage import Inlet, Outlet
from scripts.clients import redis_server, replication
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError
from scripts.output import Outcome, say


def run(settings: OpsSettings, *, dry_run: bool = False) -> Outcome:
    """Back Redis up.

    Raises:
        UsageError: the bucket is not as it must be, or Redis refuses a replica.
        TemporaryError: Redis or the bucket does not answer, or the snapshot ended early. Nothing is visible.
        CheckFailedError: the snapshot holds what this release of ops does not know.
    """
    bucket, prefix = transfer.opened(settings.backup, keys.REDIS)
    with redis_server.connect(settings.redis) as client:
        facts = redis_server.info(client)
    used = int(facts["used_memory"])
    if dry_run:
        return _would(settings, used, str(facts["redis_version"]))
    started = bucket.now(prefix)
    upload.abort_stale(bucket, prefix, started - transfer.STALE)
    manifest = _transfer(settings, bucket, used, started)
    transfer.publish(bucket, settings.backup, manifest)
    return _done(settings, manifest)


def tallied(tally: Tally) -> stage.Work:
    """What counts an RDB while it passes; an RDB that is not whole is an error."""

    def work(inlet: Inlet, _outlet: Outlet) -> None:
        try:
            for _ in rdb.walk(lambda: inlet.read(CHUNK_BYTES), tally):
                pass
        except DamagedError as error:
            raise CheckFailedError(f"Redis's snapshot: {error}") from None

    return work


def keyspaces(tally: Tally) -> tuple[Keyspace, ...]:
    """What was counted, by database."""
    return tuple(
        Keyspace(index=index, keys=count, expiring=tally.expiring.get(index, 0))
        for index, count in sorted(tally.keys.items())
    )


def _transfer(settings: OpsSettings, bucket: Bucket, used: int, started: datetime) -> RedisManifest:
    clock = time.monotonic()
    backup, tally = BackupId.new(started), Tally()
    with replication.snapshot(settings.redis) as chunks:
        # The server has answered and forks now: what it holds at this moment is what it sends.
        taken = started + timedelta(seconds=time.monotonic() - clock)
        log.info("snapshot started", server=f"{settings.redis.host}:{settings.redis.port}", expected_bytes=used)
        package = transfer.store(
            bucket,
            settings.backup,
            keys.REDIS,
            backup,
            stage.watched(chunks, tallied(tally)),
            parts.part_size(used),
        )
    seconds = round(time.monotonic() - clock, 3)
    return RedisManifest(
        **dict[str, Any](package),
        kind="redis",
        id=str(backup),
        server_version=tally.server_version,
        rdb_version=tally.version,
        used_memory_bytes=used,
        functions=tally.functions,
        databases=keyspaces(tally),
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
        f"{manifest.total:,} keys in {len(manifest.databases)} databases, {size(manifest.uncompressed.bytes)} as "
        f"{size(manifest.stored.bytes)} in {duration(manifest.duration_seconds)}",
    )
    return Outcome(data, shown)
