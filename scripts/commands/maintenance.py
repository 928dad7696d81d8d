"""``ops maintenance``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook import practices
from runbook.ops_settings import OpsSettings
from scripts import durations, frame
from scripts.frame import DryRun, Silent
from scripts.maintenance import command
from scripts.maintenance.mode import Request
from scripts.output import Outcome

app = frame.app("Maintenance: a page for users, jobs that wait.")

By = Annotated[str | None, typer.Option("--by", help="Who holds the lock [default: you].", metavar="NAME")]
TakeOver = Annotated[bool, typer.Option("--take-over", help="Somebody else's lock does not matter.")]
Force = Annotated[bool, typer.Option("--force", help="Even where nothing is ready to answer users.")]


@frame.command(app, "maintenance on", "--for 90m --reason 'PostgreSQL 17'")
def on(
    settings: OpsSettings,
    duration: Annotated[
        str | None,
        typer.Option("--for", help="How long the lock holds [default: the runbook's window].", metavar="DURATION"),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="What others are told.", metavar="TEXT")] = "",
    by: By = None,
    take_over: TakeOver = False,
    force: Force = False,
    silent: Silent = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Hold the lock, lead users to the page under the same host and certificate, and suspend every CronJob.

    Jobs that run go on. Run it again to hold the lock for longer, or to go on where a run was ended.
    """
    seconds = practices.MAINTENANCE_WINDOW.count if duration is None else durations.seconds(duration)
    request = Request(by or frame.user(), seconds, reason, take_over=take_over, force=force, dry_run=dry_run)
    return command.begin(settings, request, silent=silent)


@frame.command(app, "maintenance off", "--dry-run")
def off(
    settings: OpsSettings,
    by: By = None,
    take_over: TakeOver = False,
    force: Force = False,
    silent: Silent = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Lead users back, resume the CronJobs without the runs that they missed, and give the lock up."""
    request = Request(by or frame.user(), take_over=take_over, force=force, dry_run=dry_run)
    return command.end(settings, request, silent=silent)


@frame.command(app, "maintenance status", "--json")
def status(settings: OpsSettings) -> Outcome:
    """Show the lock, the page and the jobs. Exit 1 when only a part of it is on, or the lock's time is over."""
    return command.status(settings)
