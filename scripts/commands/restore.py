"""``ops restore``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

app = typer.Typer(help="Bring a backup back.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("postgres", epilog="Example: ops restore postgres --at 2026-03-01T02:30:00Z --yes")
def postgres(
    backup_id: Annotated[
        str | None, typer.Option("--id", help="The backup with this id [default: the newest].", metavar="ID")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The newest backup of this time or before, with its offset or Z.", metavar="TIME"),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option("--into", help="Restore into a new database of this name and swap nothing.", metavar="NAME"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the databases are swapped.")] = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Restore into a fresh database, compare every table's row count, then swap; the old database is kept."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import postgres_restore
        from scripts.backup.catalog import Selection

        plan = postgres_restore.Plan(Selection.parse(backup_id, at), into=into, confirmed=yes, dry_run=dry_run)
        return postgres_restore.run(settings_file.load(config), plan)

    run("restore postgres", action, as_json=as_json, deadline=deadline)


@app.command("redis", epilog="Example: ops restore redis --at 2026-03-01T02:30:00Z --yes")
def redis(
    backup_id: Annotated[
        str | None, typer.Option("--id", help="The backup with this id [default: the newest].", metavar="ID")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The newest backup of this time or before, with its offset or Z.", metavar="TIME"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the keys are replaced.")] = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Load into free databases of the running Redis, compare the keys of each, then swap them in at once."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import redis_restore
        from scripts.backup.catalog import Selection

        plan = redis_restore.Plan(Selection.parse(backup_id, at), confirmed=yes, dry_run=dry_run)
        return redis_restore.run(settings_file.load(config), plan)

    run("restore redis", action, as_json=as_json, deadline=deadline)


@app.command("resources", epilog="Example: ops restore resources --dry-run")
def resources(
    backup_id: Annotated[
        str | None, typer.Option("--id", help="The backup with this id [default: the newest].", metavar="ID")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The newest backup of this time or before, with its offset or Z.", metavar="TIME"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the objects are applied.")] = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Apply the saved objects in the order in which they need one another; nothing is deleted."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import resources_restore
        from scripts.backup.catalog import Selection

        plan = resources_restore.Plan(Selection.parse(backup_id, at), confirmed=yes, dry_run=dry_run)
        return resources_restore.run(settings_file.load(config), plan)

    run("restore resources", action, as_json=as_json, deadline=deadline)
