"""``ops restore postgres``: prove the object, fill a fresh database, prove the rows, then swap."""

from __future__ import annotations

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import lazy, log
from scripts.backup import fresh, lock, snapshot, swap
from scripts.backup.catalog import Catalog, Selection
from scripts.backup.fill import fill
from scripts.backup.manifest import PostgresManifest, differences, rows_of, shortened
from scripts.backup.transfer import Stored
from scripts.clients import pgtools, postgres
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, UsageError
from scripts.output import Outcome, confirm, say


@dataclass(frozen=True, slots=True)
class _Job:
    """What has been checked and is about to happen."""

    settings: OpsSettings
    access: Access
    manifest: PostgresManifest
    stored: Stored
    program: Program
    into: str | None

    @property
    def database(self) -> str:
        return self.settings.postgres.database


def run(
    settings: OpsSettings,
    selection: Selection,
    *,
    into: str | None = None,
    confirmed: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Restore the database; ``into`` names a new one and leaves the old one alone, without it they are swapped.

    Raises:
        UsageError: no such backup, a newer format, a wrong login, or a swap that nobody confirmed.
        CheckFailedError: the object is damaged, or the restored rows are not those of the manifest.
        TemporaryError: another restore is running, or something does not answer.
    """
    access = Access.of(settings.postgres, settings.postgres.superuser)
    bucket = Bucket(settings.backup)
    manifest = Catalog(bucket, settings, PostgresManifest).choose(selection)
    stored = Stored(bucket, settings.backup, manifest)
    with administration(access) as admin:
        job = _Job(settings, access, manifest, stored, program_for(admin, manifest), into)
        _check(admin, job)
        exists = job.database in fresh.names(admin)
        if dry_run:
            return _would(job, exists)
        if into is None and not confirmed:
            _confirm(job, exists)
        started = time.monotonic()
        with lock.held(access, job.database, lock.Purpose.RESTORE):
            kept = _restore(admin, job)
    log.info("restore complete", id=manifest.id, database=into or job.database, kept=kept)
    return _done(job, kept, time.monotonic() - started)


@contextmanager
def administration(access: Access) -> Generator[lazy.psycopg.Connection]:
    """A session that creates and drops databases."""
    database = postgres.MAINTENANCE_DATABASE
    with postgres.connect(access, database, application="ops restore", doing="restore") as admin:
        yield admin


def program_for(admin: lazy.psycopg.Connection, manifest: PostgresManifest) -> Program:
    """The pg_restore for a server and a backup.

    Raises:
        UsageError: the backup is of a newer server, or no fitting program is installed.
    """
    major = admin.info.server_version // 10000
    if manifest.server_major > major:
        raise UsageError(
            f"backup {manifest.id} is of PostgreSQL {manifest.server_version} and this server is {major}; "
            "restore into a server "
            f"of version {manifest.server_major} or newer"
        )
    return pgtools.find("pg_restore", major)


def _check(admin: lazy.psycopg.Connection, job: _Job) -> None:
    saved = job.manifest.database.name
    if job.into is None and saved != job.database:
        raise UsageError(
            f"backup {job.manifest.id} is of database {saved}, not of {job.database}; restore it with --into NAME"
        )
    if job.into is None:
        return
    if len(job.into.encode()) > fresh.NAME_BYTES or not job.into or fresh.is_name(job.database, job.into):
        raise UsageError(
            f"--into {job.into!r} is no name for a database: 1 to {fresh.NAME_BYTES} bytes, "
            "and not of the form of a restore in progress"
        )
    if job.into in fresh.names(admin):
        raise UsageError(f"database {job.into} exists already; give --into a name that is free")


def _confirm(job: _Job, exists: bool) -> None:
    old = "; the present one is kept under another name" if exists else ""
    moment = f"{job.manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z}"
    confirm(
        f"replaces database {job.database}",
        f"Replace {job.database} by its state of {moment} ({job.manifest.rows:,} rows){old}?",
    )


def _restore(admin: lazy.psycopg.Connection, job: _Job) -> str | None:
    """Do it; the name under which the old database is kept."""
    log.info("verifying the object", id=job.manifest.id, bytes=job.manifest.stored.bytes)
    job.stored.verify()
    fresh.drop_stale(admin, job.database)
    owner = job.settings.postgres.owner.user
    with fresh.created(admin, job.database, job.manifest.database, owner) as name:
        fill(job.stored, job.program, job.access, name)
        prove(job.access, name, job.manifest, f"{job.database} is unchanged")
        if job.into is not None:
            swap.swap(job.access, name, job.into, None)
            return None
        kept = None
        if job.database in fresh.names(admin):
            swap.copy_properties(job.access, job.database, name)
            kept = fresh.kept_name(job.database, fresh.now(admin))
        swap.swap(job.access, name, job.database, kept)
        return kept


def prove(access: Access, name: str, manifest: PostgresManifest, otherwise: str) -> dict[str, int]:
    """Raise unless every table has the rows that the manifest says; then give the planner its statistics. The rows.

    Raises:
        CheckFailedError: the counts differ; its line ends with ``otherwise``.
    """
    log.info("comparing the rows", database=name, rows=manifest.rows)
    # Side by side: the one waits for pages, the other for a processor.
    with ThreadPoolExecutor(1, "analyze") as pool:
        analyzing = pool.submit(_analyze, access, name)
        with (
            postgres.connect(
                access, name, application="ops restore", doing=f"counting the rows of {name}"
            ) as connection,
            postgres.cancelled(connection),
        ):
            found = rows_of(snapshot.count(connection, snapshot.tables_of(connection)))
        if wrong := differences(manifest.counts, found, "no table"):
            raise CheckFailedError(f"backup {manifest.id} is not restored: {shortened(wrong, 'tables')}; {otherwise}")
        log.info("every row count is equal", tables=len(found), rows=manifest.rows)
        analyzing.result()
    return found


def _analyze(access: Access, name: str) -> None:
    doing = f"statistics of {name}"
    with postgres.connect(access, name, application="ops restore analyze", doing=doing) as connection:
        connection.execute("ANALYZE")


def _would(job: _Job, exists: bool) -> Outcome:
    target = job.into or job.database
    manifest = job.manifest

    replaces = job.into is None and exists
    lines = [
        f"Would restore backup {manifest.id} with pg_restore {job.program.version} into {target}:",
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables, {size(manifest.uncompressed.bytes)}",
        *([f"and keep the present {job.database} as {job.database}_before_<time>."] if replaces else []),
        "Nothing was changed.",
    ]
    data = {"dry_run": True, "id": manifest.id, "database": target, "rows": manifest.rows, "replaces": replaces}
    return Outcome(data, say(*lines))


def _done(job: _Job, kept: str | None, seconds: float) -> Outcome:
    manifest, target = job.manifest, job.into or job.database
    data: dict[str, object] = {
        "id": manifest.id,
        "database": target,
        "snapshot_at": manifest.snapshot_at.isoformat(timespec="seconds"),
        "tables": len(manifest.tables),
        "rows": manifest.rows,
        "kept": kept,
        "seconds": round(seconds, 3),
    }

    lines = [
        f"{target} is as it was at {manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z} (backup {manifest.id}).",
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables, all counts equal, in {duration(seconds)}.",
        *([f"The database before is kept as {kept} until: ops backups prune --databases"] if kept else []),
    ]
    return Outcome(data, say(*lines))
