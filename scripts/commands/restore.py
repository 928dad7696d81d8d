"""``ops restore``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.backup import postgres_restore, redis_restore, resources_restore
from scripts.backup.catalog import Selection
from scripts.frame import DryRun
from scripts.output import Outcome

app = frame.app("Bring a backup back.")

BackupId = Annotated[
    str | None, typer.Option("--id", help="The backup with this id [default: the newest].", metavar="ID")
]
At = Annotated[
    str | None,
    typer.Option("--at", help="The newest backup of this time or before, with its offset or Z.", metavar="TIME"),
]

Unsigned = Annotated[
    bool, typer.Option("--unsigned", help="Take a backup that is not signed: you know where it is from.")
]


@frame.command(app, "restore postgres", "--at 2026-03-01T02:30:00Z --yes")
def postgres(
    settings: OpsSettings,
    backup_id: BackupId = None,
    at: At = None,
    into: Annotated[
        str | None,
        typer.Option("--into", help="Restore into a new database of this name and swap nothing.", metavar="NAME"),
    ] = None,
    unsigned: Unsigned = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the databases are swapped.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Restore into a fresh database, compare every table's row count, then swap; the old database is kept."""
    selection = Selection.parse(backup_id, at)
    return postgres_restore.run(settings, selection, into=into, unsigned=unsigned, confirmed=yes, dry_run=dry_run)


@frame.command(app, "restore redis", "--at 2026-03-01T02:30:00Z --yes")
def redis(
    settings: OpsSettings,
    backup_id: BackupId = None,
    at: At = None,
    unsigned: Unsigned = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the keys are replaced.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Load into free databases of the running Redis, compare the keys of each, then swap them in at once."""
    selection = Selection.parse(backup_id, at)
    return redis_restore.run(settings, selection, unsigned=unsigned, confirmed=yes, dry_run=dry_run)


@frame.command(app, "restore resources", "--dry-run")
def resources(
    settings: OpsSettings,
    backup_id: BackupId = None,
    at: At = None,
    unsigned: Unsigned = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the objects are applied.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Apply the saved objects in the order in which they need one another; nothing is deleted."""
    selection = Selection.parse(backup_id, at)
    return resources_restore.run(settings, selection, unsigned=unsigned, confirmed=yes, dry_run=dry_run)
