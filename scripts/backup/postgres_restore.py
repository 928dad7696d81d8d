"""``ops restore postgres``: prove the object, rebuild and compare it in a fresh database, then swap."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runbook import database_roles
from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import lazy, log
from scripts.backup import fresh, lock, rebuild, room, stand_in, surroundings, swap
from scripts.backup.catalog import Catalog, Selection
from scripts.backup.manifest import PostgresManifest
from scripts.backup.postgres_model import DatabaseFacts
from scripts.backup.transfer import Stored
from scripts.clients import pgtools, postgres
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access
from scripts.clients.s3 import Bucket
from scripts.database import ownership
from scripts.exits import OpsError, TemporaryError, UsageError
from scripts.output import Outcome, confirm, say

_NAMING_VIEWS: Final = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated AND pg_get_viewdef(c.oid) ~* 'current_(database\\(|catalog)' ORDER BY c.oid
"""


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
    unsigned: bool = False,
    confirmed: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Restore the database; ``into`` names a new one and leaves the old one alone, without it they are swapped.

    Raises:
        UsageError: no such backup, a newer format, a wrong login, no room, or a swap that nobody confirmed.
        CheckFailedError: the object is damaged, or the restored rows are not those of the manifest.
        TemporaryError: another restore is running, or something does not answer.
    """
    access = Access.of(settings.postgres, settings.postgres.superuser)
    bucket = Bucket(settings.backup)
    manifest = Catalog(bucket, settings, PostgresManifest).choose(selection, unsigned=unsigned)
    stored = Stored(bucket, settings.backup, manifest)
    with rebuild.administration(access) as admin:
        job = _Job(settings, access, manifest, stored, program_for(admin, manifest), into)
        _check(admin, job)
        room.check(admin, manifest)
        exists = job.database in fresh.names(admin)
        if dry_run:
            return _would(job, exists)
        if into is None and not confirmed:
            _confirm(job, exists)
        started = time.monotonic()
        with lock.held(access, job.database, lock.Purpose.RESTORE):
            kept, notes = _restore(admin, job)
    log.info("restore complete", id=manifest.id, database=into or job.database, kept=kept)
    return _done(job, kept, notes, time.monotonic() - started)


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


def _check_prepared(admin: lazy.psycopg.Connection, database: str) -> None:
    """Raise where a prepared transaction keeps hold of the database: the swap, at the very end, would fail by it."""
    found = admin.execute("SELECT gid FROM pg_prepared_xacts WHERE database = %s ORDER BY prepared", (database,))
    if gids := [str(row[0]) for row in found.fetchall()]:
        raise TemporaryError(
            f"database {database} has the prepared transaction {gids[0]!r}, which would stop the swap: end it there "
            "(COMMIT PREPARED or ROLLBACK PREPARED), or restore beside it with --into NAME"
        )


def _check(admin: lazy.psycopg.Connection, job: _Job) -> None:
    saved = job.manifest.database.name
    if job.into is None and saved != job.database:
        raise UsageError(
            f"backup {job.manifest.id} is of database {saved}, not of {job.database}; restore it with --into NAME"
        )
    if job.into is None:
        _check_prepared(admin, job.database)
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


def _restore(admin: lazy.psycopg.Connection, job: _Job) -> tuple[str | None, tuple[str, ...]]:
    """Do it; the name under which the old database is kept, and what a person must do."""
    log.info("verifying the object", id=job.manifest.id, bytes=job.manifest.stored.bytes)
    job.stored.verify()
    fresh.drop_stale(admin, job.database)
    stand_in.drop_stale(admin, job.database)
    otherwise = f"{job.database} is unchanged"
    target = job.settings.postgres
    logins = [target.superuser, *map(target.login, database_roles.ALL)]
    secrets = {login.user: Path(login.password_file).parent.name for login in logins}
    exists = job.database in fresh.names(admin)
    facts = _facts(job, exists=exists).model_copy(update={"name": job.database})
    with rebuild.rebuilt(job.access, job.manifest, job.stored, job.program, facts, otherwise, secrets=secrets) as done:
        notes = (*done.notes, *ownership.bring_over(job.access, target, done.name))
        if job.into is not None:
            swap.swap(job.access, facts, done.name, job.into, None)
            return None, (*notes, *_rename_in_views(job, job.into))
        kept = fresh.kept_name(job.database, fresh.now(admin)) if exists else None
        swap.swap(job.access, facts, done.name, job.database, kept)
        return kept, (*notes, *_rename_in_views(job, job.database))


def _rename_in_views(job: _Job, database: str) -> list[str]:
    """Populate the materialized views that hold the name of their database, which was another before the swap.

    PostgreSQL runs their queries as their owners. The restore is done: what fails is told, one line each.
    """
    notes: list[str] = []
    try:
        with postgres.connect(job.access, database, application="ops restore", doing="materialized views") as session:
            for schema, name in session.execute(_NAMING_VIEWS).fetchall():
                statement = lazy.sql.SQL("REFRESH MATERIALIZED VIEW {}").format(lazy.sql.Identifier(schema, name))
                try:
                    session.execute(statement)
                except lazy.psycopg.Error as error:
                    words = f"{statement.as_string(session)}: {postgres.explain(error)}"
                    notes.append(
                        f"materialized view {schema}.{name} may name the database as it was meanwhile; {words}"
                    )
    except OpsError as error:
        notes.append(f"materialized views may name the database as it was meanwhile, none was looked at: {error}")
    return notes


def _facts(job: _Job, *, exists: bool) -> DatabaseFacts:
    """The properties of the restored database: of an older format, which has none, those of the present one."""
    if job.manifest.surroundings is not None or not exists:
        return job.manifest.database
    with postgres.connect(job.access, job.database, application="ops restore", doing="properties") as connection:
        return surroundings.facts(connection)


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


def _done(job: _Job, kept: str | None, notes: tuple[str, ...], seconds: float) -> Outcome:
    manifest, target = job.manifest, job.into or job.database
    data: dict[str, object] = {
        "id": manifest.id,
        "database": target,
        "snapshot_at": manifest.snapshot_at.isoformat(timespec="seconds"),
        "tables": len(manifest.tables),
        "rows": manifest.rows,
        "kept": kept,
        "notes": list(notes),
        "seconds": round(seconds, 3),
    }

    lines = [
        f"{target} is as it was at {manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z} (backup {manifest.id}).",
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables, everything equal, in {duration(seconds)}.",
        *([f"The database before is kept as {kept} until: ops backups prune --databases"] if kept else []),
        *(f"Note: {note}" for note in notes),
    ]
    return Outcome(data, say(*lines))
