"""``ops backups``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

app = typer.Typer(
    help="Look at the backups in the bucket, prove them, and end old ones.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def _group() -> None: ...


@app.command("list", epilog="Example: ops backups list --json")
def list_backups(config: Config = None, deadline: Deadline = None, as_json: AsJson = False) -> None:
    """List the backups, newest first, and which of them are proven. What has no manifest is no backup."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import listing

        return listing.run(settings_file.load(config))

    run("backups list", action, as_json=as_json, deadline=deadline)


@app.command("verify", epilog="Example: ops backups verify --kind postgres --json")
def verify(
    kind: Annotated[
        str | None, typer.Option("--kind", help="postgres, redis or resources [default: all].", metavar="KIND")
    ] = None,
    backup_id: Annotated[
        str | None, typer.Option("--id", help="The backup with this id [default: the newest].", metavar="ID")
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Restore into a scratch place that is gone afterwards and compare every count: only then is a backup proven."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import verify as verification

        return verification.run(settings_file.load(config), kind=kind, backup_id=backup_id, dry_run=dry_run)

    run("backups verify", action, as_json=as_json, deadline=deadline)


@app.command("metrics", epilog="Example: ops backups metrics --listen 9116")
def metrics(
    listen: Annotated[
        int | None,
        typer.Option("--listen", min=0, max=65535, help="Serve /metrics on this port; 0 for any.", metavar="PORT"),
    ] = None,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Show age and restore time of the newest proven backups (RPO and RTO) as Prometheus reads them."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import metrics as exporter

        return exporter.run(lambda: settings_file.load(config), port=listen)

    run("backups metrics", action, as_json=as_json, deadline=deadline)


@app.command("prune", epilog="Example: ops backups prune --dry-run --json")
def prune(
    databases: Annotated[
        bool, typer.Option("--databases", help="Drop instead the databases that restores have put aside.")
    ] = False,
    older_than: Annotated[
        int | None,
        typer.Option("--older-than", min=0, help="With --databases: [default: the retention].", metavar="DAYS"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --databases: do not ask.")] = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Drop backups beyond the retention; the newest proven one of a kind, and what is newer, always stays."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import old_databases
        from scripts.backup import prune as pruning
        from scripts.exits import UsageError

        if not databases and (older_than is not None or yes):
            raise UsageError("--older-than and --yes belong to --databases; the retention is in the settings")
        settings = settings_file.load(config)
        if databases:
            return old_databases.run(settings, older_than_days=older_than, confirmed=yes, dry_run=dry_run)
        return pruning.run(settings, dry_run=dry_run)

    run("backups prune", action, as_json=as_json, deadline=deadline)
