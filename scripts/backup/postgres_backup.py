"""``ops backup postgres``: a dump on its way into the bucket, its rows counted meanwhile."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts.backup import dump, keys, lock, parts, snapshot, transfer, upload
from scripts.backup.keys import BackupId
from scripts.backup.manifest import PostgresManifest
from scripts.backup.snapshot import Counting, Snapshot
from scripts.clients import pgtools
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access
from scripts.clients.s3 import Bucket
from scripts.exits import OpsError, UsageError
from scripts.output import Outcome, say


def run(settings: OpsSettings, *, dry_run: bool = False) -> Outcome:
    """Back the database up.

    Raises:
        UsageError: a login, the bucket or the client program is not as it must be.
        TemporaryError: another run is at it, or something does not answer.
        CheckFailedError: the dump failed.
    """
    access = Access.of(settings.postgres, settings.postgres.backup)
    database = settings.postgres.database
    bucket, prefix, signer = transfer.opened(settings.backup, keys.POSTGRES)
    with lock.held(access, database, lock.Purpose.BACKUP) as assert_held:
        started = bucket.now(prefix)
        with snapshot.opened(access, database) as shot:
            program = pgtools.find("pg_dump", shot.server_major)
            backup = BackupId.new(started)
            part_bytes = _part_bytes(shot)
            if dry_run:
                return _would(settings, backup, shot, program)
            upload.abort_stale(bucket, prefix)
            clock = time.monotonic()
            manifest = _transfer(bucket, settings, access, shot, program, backup, part_bytes, started, clock)
        # Whoever lost the lock may have been overtaken: its dump stays without a manifest and does not exist.
        assert_held()
        transfer.publish(bucket, settings.backup, manifest, signer)
    return _done(settings, manifest)


def _part_bytes(shot: Snapshot) -> int:
    try:
        return parts.part_size(shot.size)
    except ValueError as error:
        raise UsageError(f"database {shot.facts.name}: {error}") from None


def _transfer(
    bucket: Bucket,
    settings: OpsSettings,
    access: Access,
    shot: Snapshot,
    program: Program,
    backup: BackupId,
    part_bytes: int,
    started: datetime,
    clock: float,
) -> PostgresManifest:
    counting = Counting(shot)
    try:
        archive = dump.stream(program, access, shot)
        package = transfer.store(bucket, settings.backup, keys.POSTGRES, backup, archive, part_bytes)
        tables, large_objects = counting.result()
    except OpsError:
        counting.check()
        raise
    finally:
        counting.cancel()
    seconds = round(time.monotonic() - clock, 3)
    return PostgresManifest(
        **dict(package),
        kind="postgres",
        id=str(backup),
        database=shot.facts,
        server_version=shot.server_version,
        server_major=shot.server_major,
        client_version=program.version,
        started_at=started,
        snapshot_at=shot.taken_at,
        finished_at=started + timedelta(seconds=seconds),
        duration_seconds=seconds,
        database_bytes=shot.size,
        tables=tables,
        checksums=shot.checksums,
        surroundings=shot.surroundings,
        large_objects=large_objects,
    )


def _would(settings: OpsSettings, backup: BackupId, shot: Snapshot, program: Program) -> Outcome:
    name = transfer.data_name(settings.backup, keys.POSTGRES)
    target = f"s3://{settings.backup.bucket}/{keys.key(settings.backup.prefix, keys.POSTGRES, backup, name)}"

    what = f"{shot.facts.name} ({size(shot.size)}, {len(shot.tables)} tables)"
    return Outcome(
        {"dry_run": True, "target": target, "database_bytes": shot.size, "tables": len(shot.tables)},
        say(f"Would dump {what} with pg_dump {program.version}", f"into {target}. Nothing was written."),
    )


def _done(settings: OpsSettings, manifest: PostgresManifest) -> Outcome:
    speed = manifest.uncompressed.bytes / 1e6 / max(manifest.duration_seconds, 1e-3)
    data: dict[str, object] = {
        "id": manifest.id,
        "bucket": settings.backup.bucket,
        "database": manifest.database.name,
        "tables": len(manifest.tables),
        "rows": manifest.rows,
        "database_bytes": manifest.database_bytes,
        "uncompressed_bytes": manifest.uncompressed.bytes,
        "stored_bytes": manifest.stored.bytes,
        "encrypted": manifest.encryption is not None,
        "seconds": manifest.duration_seconds,
    }

    shown = say(
        f"Backup {manifest.id} of {manifest.database.name} is complete.",
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables, {size(manifest.uncompressed.bytes)} as "
        f"{size(manifest.stored.bytes)} in {duration(manifest.duration_seconds)} ({speed:.0f} MB/s)",
    )
    return Outcome(data, shown)
