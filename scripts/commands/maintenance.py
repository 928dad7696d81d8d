"""``ops maintenance``."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, Silent, run
from scripts.output import Outcome

app = typer.Typer(help="Maintenance: a page for users, jobs that wait.", no_args_is_help=True, rich_markup_mode=None)

By = Annotated[str | None, typer.Option("--by", help="Who holds the lock [default: you].", metavar="NAME")]
TakeOver = Annotated[bool, typer.Option("--take-over", help="Somebody else's lock does not matter.")]
Force = Annotated[bool, typer.Option("--force", help="Even where nothing is ready to answer users.")]


@app.callback()
def _group() -> None: ...


@app.command("on", epilog="Example: ops maintenance on --for 90m --reason 'PostgreSQL 17'")
def on(
    duration: Annotated[
        str | None,
        typer.Option("--for", help="How long the lock holds [default: the runbook's window].", metavar="DURATION"),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="What others are told.", metavar="TEXT")] = "",
    by: By = None,
    take_over: TakeOver = False,
    force: Force = False,
    silent: Silent = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Hold the lock, lead users to the page under the same host and certificate, and suspend every CronJob.

    Jobs that run go on. Run it again to hold the lock for longer, or to go on where a run was ended.
    """

    def action() -> Outcome:
        from runbook import practices
        from scripts import config as settings_file
        from scripts import durations
        from scripts.maintenance import command, mode

        seconds = practices.MAINTENANCE_WINDOW.count if duration is None else durations.seconds(duration)
        request = mode.Request(by or _user(), seconds, reason, take_over=take_over, force=force, dry_run=dry_run)
        return command.begin(settings_file.load(config), request, silent=silent)

    run("maintenance on", action, as_json=as_json, deadline=deadline)


@app.command("off", epilog="Example: ops maintenance off --dry-run")
def off(
    by: By = None,
    take_over: TakeOver = False,
    force: Force = False,
    silent: Silent = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Lead users back, resume the CronJobs without the runs that they missed, and give the lock up."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.maintenance import command, mode

        request = mode.Request(by or _user(), take_over=take_over, force=force, dry_run=dry_run)
        return command.end(settings_file.load(config), request, silent=silent)

    run("maintenance off", action, as_json=as_json, deadline=deadline)


@app.command("status", epilog="Example: ops maintenance status --json")
def status(config: Config = None, deadline: Deadline = None, as_json: AsJson = False) -> None:
    """Show the lock, the page and the jobs. Exit 1 when only a part of it is on, or the lock's time is over."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.maintenance import command

        return command.status(settings_file.load(config))

    run("maintenance status", action, as_json=as_json, deadline=deadline)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container's user need not have a name.
        return "ops"
