"""``ops db``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

app = typer.Typer(help="Look after PostgreSQL.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("reap-idle", epilog="Example: ops db reap-idle --dry-run --json")
def reap_idle(
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than", min=1, help="Idle for longer than this [default: the runbook's 1800].", metavar="SECONDS"
        ),
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """End sessions of the database that have been idle for 30 min; open transactions and backups are left alone."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.database import reaper

        return reaper.run(settings_file.load(config), older_than=older_than, dry_run=dry_run)

    run("db reap-idle", action, as_json=as_json, deadline=deadline)


@app.command("connections", epilog="Example: ops db connections")
def connections(config: Config = None, deadline: Deadline = None, as_json: AsJson = False) -> None:
    """Show who is connected, against max_connections, and what has been running for more than 500 ms."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.database import connections as shown

        return shown.run(settings_file.load(config))

    run("db connections", action, as_json=as_json, deadline=deadline)


@app.command("slow", epilog="Example: ops db slow --by mean")
def slow(
    by: Annotated[
        str, typer.Option("--by", help="total: what costs most. mean: what takes longest.", metavar="total|mean")
    ] = "total",
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Show the ten statements that take most time; those above 500 ms on average are marked."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.database import slow as statements
        from scripts.exits import UsageError

        if by not in list(statements.Order):
            raise UsageError(f"--by {by}: give total or mean")
        return statements.run(settings_file.load(config), order=statements.Order(by))

    run("db slow", action, as_json=as_json, deadline=deadline)


@app.command("maintain", epilog="Example: ops db maintain --dry-run")
def maintain(
    lock_wait: Annotated[
        float,
        typer.Option("--lock-wait", min=0.1, help="Wait so long for other transactions.", metavar="SECONDS"),
    ] = 600.0,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Build the indexes that are missing and vacuum the tables that need it, without holding up a writer."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.database import maintenance

        return maintenance.run(settings_file.load(config), lock_wait=lock_wait, dry_run=dry_run)

    run("db maintain", action, as_json=as_json, deadline=deadline)
