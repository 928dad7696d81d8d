"""``ops backup``."""

from __future__ import annotations

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

app = typer.Typer(help="Save data into the backup bucket.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("postgres", epilog="Example: ops backup postgres --deadline 3600 --json")
def postgres(
    config: Config = None, dry_run: DryRun = False, deadline: Deadline = None, as_json: AsJson = False
) -> None:
    """Stream a dump of the database into the bucket; it exists only once it is complete."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import postgres_backup

        return postgres_backup.run(settings_file.load(config), dry_run=dry_run)

    run("backup postgres", action, as_json=as_json, deadline=deadline)


@app.command("redis", epilog="Example: ops backup redis --deadline 3600 --json")
def redis(config: Config = None, dry_run: DryRun = False, deadline: Deadline = None, as_json: AsJson = False) -> None:
    """Stream a snapshot of Redis into the bucket, by the replication protocol and without touching its volume."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import redis_backup

        return redis_backup.run(settings_file.load(config), dry_run=dry_run)

    run("backup redis", action, as_json=as_json, deadline=deadline)


@app.command("resources", epilog="Example: ops backup resources --deadline 600 --json")
def resources(
    config: Config = None, dry_run: DryRun = False, deadline: Deadline = None, as_json: AsJson = False
) -> None:
    """Save every object of the namespace that may be listed; Secrets only where backups are encrypted."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import resources_backup

        return resources_backup.run(settings_file.load(config), dry_run=dry_run)

    run("backup resources", action, as_json=as_json, deadline=deadline)
