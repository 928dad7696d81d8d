"""``ops db``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.database import connections as shown
from scripts.database import maintenance, ownership, reaper
from scripts.database import slow as statements
from scripts.exits import UsageError
from scripts.frame import DryRun
from scripts.output import Outcome

app = frame.app("Look after PostgreSQL.")


@frame.command(app, "db reap-idle", "--dry-run --json")
def reap_idle(
    settings: OpsSettings,
    older_than: Annotated[
        float | None, frame.seconds("--older-than", "Idle for longer than this [default: the runbook's 1800].", least=1)
    ] = None,
    dry_run: DryRun = False,
) -> Outcome:
    """End sessions of the database that have been idle for 30 min; open transactions and backups are left alone."""
    return reaper.run(settings, older_than=older_than, dry_run=dry_run)


@frame.command(app, "db connections", "")
def connections(settings: OpsSettings) -> Outcome:
    """Show who is connected, against max_connections, and what has been running for more than 500 ms."""
    return shown.run(settings)


@frame.command(app, "db slow", "--by mean")
def slow(
    settings: OpsSettings,
    by: Annotated[
        str, typer.Option("--by", help="total: what costs most. mean: what takes longest.", metavar="total|mean")
    ] = "total",
) -> Outcome:
    """Show the ten statements that take most time; those above 500 ms on average are marked."""
    if by not in list(statements.Order):
        raise UsageError(f"--by {by}: give total or mean")
    return statements.run(settings, order=statements.Order(by))


@frame.command(app, "db roles", "--dry-run")
def roles(settings: OpsSettings, dry_run: DryRun = False) -> Outcome:
    """Make the roles and the database where they are missing, and give what the services own to the owner."""
    return ownership.run(settings, dry_run=dry_run)


@frame.command(app, "db maintain", "--dry-run")
def maintain(
    settings: OpsSettings,
    lock_wait: Annotated[float, frame.seconds("--lock-wait", "Wait so long for other transactions.")] = 600.0,
    dry_run: DryRun = False,
) -> Outcome:
    """Build the indexes that are missing and vacuum the tables that need it, without holding up a writer."""
    return maintenance.run(settings, lock_wait=lock_wait, dry_run=dry_run)
