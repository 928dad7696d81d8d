"""``ops backups prune --databases``: drops the databases that restores have put aside.

A restore keeps what it replaced as ``<database>_before_<time>``. That is a second copy of everything on the same
volume: it goes when it is old enough and a proven backup is younger than it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg

from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.backup import fresh, lock
from scripts.backup.catalog import Catalog
from scripts.backup.manifest import PostgresManifest
from scripts.backup.postgres_restore import administration
from scripts.clients.postgres import Access
from scripts.clients.s3 import Bucket
from scripts.exits import UsageError
from scripts.output import Outcome

if TYPE_CHECKING:
    from rich.console import Console


def run(settings: OpsSettings, *, older_than_days: int | None, confirmed: bool, dry_run: bool) -> Outcome:
    """Drop what restores have put aside more than ``older_than_days`` (default: the retention) ago.

    Raises:
        UsageError: nobody confirmed it.
        TemporaryError: a restore is running, or something does not answer.
    """
    days = settings.backup.retention_days if older_than_days is None else older_than_days
    access = Access.of(settings.postgres, settings.postgres.superuser)
    proven = Catalog(Bucket(settings.backup), settings, PostgresManifest).newest_proven()
    with administration(access) as admin, lock.held(access, settings.postgres.database, lock.Purpose.RESTORE):
        kept, old = _sorted(admin, settings.postgres.database, proven, datetime.now(UTC) - timedelta(days=days))
        if old and not dry_run:
            if not confirmed:
                _confirm(old)
            for name in old:
                fresh.drop(admin, name)
                log.info("database dropped", database=name)
    return _outcome(old, kept, dry_run=dry_run)


def _sorted(
    admin: psycopg.Connection, database: str, proven: PostgresManifest | None, limit: datetime
) -> tuple[Mapping[str, str], list[str]]:
    """What stays, with the reason, and what may go."""
    kept: dict[str, str] = {}
    old: list[str] = []
    for name in sorted(fresh.names(admin)):
        if (moment := fresh.replaced_at(database, name)) is None:
            continue
        if moment > limit:
            kept[name] = "not old enough"
        elif proven is None or proven.snapshot_at < moment:
            kept[name] = "no younger backup is proven"
        else:
            old.append(name)
    return kept, old


def _confirm(old: list[str]) -> None:
    import typer

    if not sys.stdin.isatty():
        raise UsageError(f"this drops {', '.join(old)} for ever; confirm it with --yes")
    typer.confirm(f"Drop {', '.join(old)} for ever?", abort=True, err=True)


def _outcome(old: list[str], kept: Mapping[str, str], *, dry_run: bool) -> Outcome:
    word = "Would drop" if dry_run else "Dropped"

    def show(console: Console) -> None:
        for name in old:
            console.print(f"{word} {name}", highlight=False)
        for name, why in kept.items():
            console.print(f"Kept {name}: {why}", highlight=False)
        if not old and not kept:
            console.print("No restore has put a database aside.")

    return Outcome({"dry_run": dry_run, "dropped": old, "kept": dict(kept)}, show)
