"""``ops backups prune --databases``: drops the databases that restores have put aside.

A restore keeps what it replaced as ``<database>_before_<time>``. That is a second copy of everything on the same
volume: it goes when it is old enough and a backup that counts is younger than it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import lazy, log
from scripts.backup import fresh, lock
from scripts.backup.catalog import Catalog
from scripts.backup.manifest import PostgresManifest
from scripts.backup.rebuild import administration
from scripts.clients.postgres import Access
from scripts.clients.s3 import Bucket
from scripts.output import Outcome, confirm, say


@dataclass(frozen=True, slots=True)
class PutAside:
    """A database with the name of one that a restore replaced, so long ago; ``marked`` says that a restore did it."""

    name: str
    age: timedelta
    bytes: int
    marked: bool


def run(settings: OpsSettings, *, older_than_days: int | None, confirmed: bool, dry_run: bool) -> Outcome:
    """Drop what restores have put aside more than ``older_than_days`` (default: the retention) ago.

    Raises:
        UsageError: nobody confirmed it.
        TemporaryError: a restore is running, or something does not answer.
    """
    days = settings.backup.retention_days if older_than_days is None else older_than_days
    access = Access.of(settings.postgres, settings.postgres.superuser)
    counting = Catalog(Bucket(settings.backup), settings, PostgresManifest).newest_that_counts()
    with administration(access) as admin, lock.held(access, settings.postgres.database, lock.Purpose.RESTORE):
        now = fresh.now(admin)
        found = _found(admin, settings.postgres.database, now)
        kept, old = _sorted(found, None if counting is None else counting.manifest, now, timedelta(days=days))
        if old and not dry_run:
            if not confirmed:
                confirm(f"drops {', '.join(old)} for ever", f"Drop {', '.join(old)} for ever?")
            for name in old:
                fresh.drop(admin, name)
                log.info("database dropped", database=name)
    return _outcome(found, old, kept, dry_run=dry_run)


def _found(admin: lazy.psycopg.Connection, database: str, now: datetime) -> list[PutAside]:
    """What restores have put aside, oldest first."""
    sizes = admin.execute("SELECT datname, pg_database_size(oid) FROM pg_database ORDER BY datname").fetchall()
    own = fresh.put_aside(admin)
    dated = ((str(name), int(each), fresh.replaced_at(database, str(name))) for name, each in sizes)
    return [PutAside(name, now - moment, each, name in own) for name, each, moment in dated if moment is not None]


def _sorted(
    found: Sequence[PutAside], counting: PostgresManifest | None, now: datetime, limit: timedelta
) -> tuple[Mapping[str, str], list[str]]:
    """What stays, with the reason, and what may go."""
    kept: dict[str, str] = {}
    old: list[str] = []
    for each in found:
        if not each.marked:
            kept[each.name] = "no restore has marked it as put aside; drop it by hand (DROP DATABASE)"
        elif each.age < limit:
            kept[each.name] = "not old enough"
        elif counting is None or counting.snapshot_at < now - each.age:
            kept[each.name] = "no younger backup counts"
        else:
            old.append(each.name)
    return kept, old


def _outcome(found: Sequence[PutAside], old: list[str], kept: Mapping[str, str], *, dry_run: bool) -> Outcome:
    word = "Would drop" if dry_run else "Dropped"
    told = {each.name: f"{each.name} ({size(each.bytes)}, {duration(each.age.total_seconds())} old)" for each in found}

    lines = [*(f"{word} {told[name]}" for name in old), *(f"Kept {told[name]}: {why}" for name, why in kept.items())]
    shown = say(*(lines or ["No restore has put a database aside."]))
    data = [{"name": each.name, "bytes": each.bytes, "age_seconds": round(each.age.total_seconds())} for each in found]
    return Outcome({"dry_run": dry_run, "dropped": old, "kept": dict(kept), "databases": data}, shown)
