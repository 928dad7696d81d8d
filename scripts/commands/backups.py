"""``ops backups``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import config as settings_file
from scripts import frame
from scripts.backup import accept, listing, old_databases
from scripts.backup import metrics as exporter
from scripts.backup import prune as pruning
from scripts.backup import verify as verification
from scripts.exits import UsageError
from scripts.frame import Config, DryRun, Scratch
from scripts.output import Outcome

app = frame.app("Look at the backups in the bucket, prove them, and end old ones.")


@frame.command(app, "backups list", "--json")
def list_backups(settings: OpsSettings) -> Outcome:
    """List the backups, newest first, and which are proven or have shrunk. What has no manifest is no backup."""
    return listing.run(settings)


@frame.command(app, "backups verify", "--kind postgres --json")
def verify(
    settings: OpsSettings,
    kind: Annotated[
        str | None, typer.Option("--kind", help="postgres, redis or resources [default: all].", metavar="KIND")
    ] = None,
    backup_id: Annotated[
        str | None, typer.Option("--id", help="The backup with this id [default: the newest].", metavar="ID")
    ] = None,
    scratch: Scratch = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Verify also a backup that is not signed: you know where it is from.")
    ] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Restore into a throwaway server and compare what comes back with the backup: only then is it proven.

    One that has far less than the one before it has shrunk: it supersedes nothing until: ops backups accept.
    """
    return verification.run(
        settings, kind=kind, backup_id=backup_id, scratch=scratch, unsigned=unsigned, dry_run=dry_run
    )


@frame.command(app, "backups accept", "20260301T020000Z-0a1b2c3d --by ann")
def accept_backup(
    settings: OpsSettings,
    backup_id: Annotated[str, typer.Argument(metavar="ID", help="The backup that has shrunk.")],
    by: Annotated[str | None, typer.Option("--by", help="Who accepts it [default: you].", metavar="NAME")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Let a backup that has shrunk count: from now on it supersedes the ones before it, which end by their age."""
    return accept.run(settings, backup_id, by=by or frame.user(), confirmed=yes, dry_run=dry_run)


@frame.command(app, "backups metrics", "--listen 9116")
def metrics(
    settings: OpsSettings,
    listen: Annotated[
        int | None,
        typer.Option("--listen", min=0, max=65535, help="Serve /metrics on this port; 0 for any.", metavar="PORT"),
    ] = None,
    config: Config = None,
) -> Outcome:
    """Show age and restore time of the newest proven backups (RPO and RTO), and which shrank, for Prometheus."""
    if listen is None:
        return exporter.run(settings)
    # Settings change under a server: it reads them anew.
    return exporter.serve(lambda: settings_file.load(config), listen)


@frame.command(app, "backups prune", "--dry-run --json")
def prune(
    settings: OpsSettings,
    databases: Annotated[
        bool, typer.Option("--databases", help="Drop instead the databases that restores have put aside.")
    ] = False,
    older_than: Annotated[
        int | None,
        typer.Option(
            "--older-than", min=0, max=36500, help="With --databases: [default: the retention].", metavar="DAYS"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --databases: do not ask.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Drop backups beyond the retention; the newest one of a kind that counts, and what is newer, always stays."""
    if databases:
        return old_databases.run(settings, older_than_days=older_than, confirmed=yes, dry_run=dry_run)
    if older_than is not None or yes:
        raise UsageError("--older-than and --yes belong to --databases; the retention is in the settings")
    return pruning.run(settings, dry_run=dry_run)
