"""``ops incident``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

if TYPE_CHECKING:
    from scripts.incident.desk import Desk

app = typer.Typer(help="Incidents: tickets, reminders, RCAs, review.", no_args_is_help=True, rich_markup_mode=None)


class SeverityName(StrEnum):
    """The severities of the runbook."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class StatusName(StrEnum):
    """What an open incident's status can be set to."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"


Directory = Annotated[
    Path | None,
    typer.Option("--directory", help="Keep tickets in this directory [default: in the bucket].", metavar="DIR"),
]
Identifier = Annotated[str, typer.Argument(metavar="ID", help="The incident's id (see: ops incident list).")]
By = Annotated[str | None, typer.Option("--by", help="Who says so [default: you].", metavar="NAME")]
Notify = Annotated[bool, typer.Option("--notify/--no-notify", help="Tell people.")]


@app.callback()
def _group() -> None: ...


@app.command("open", epilog="Example: ops incident open P1 'API gateway down' --diagnose")
def open_(
    severity: Annotated[SeverityName, typer.Argument(help="P1 production down, P2 major, P3 minor, P4 request.")],
    title: Annotated[str, typer.Argument(help="What is broken, in a few words.")],
    commander: Annotated[str | None, typer.Option("--commander", help="Who leads [default: you].")] = None,
    diagnose: Annotated[bool, typer.Option("--diagnose", help="Attach the bundle of ops diagnose.")] = False,
    by: By = None,
    directory: Directory = None,
    notify: Notify = True,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Open an incident and tell people; one that is open under the same title already stays the only one."""

    def action() -> Outcome:
        from scripts.incident import opening

        desk = _desk(config, directory, by, tell=notify, dry_run=dry_run)
        return opening.run(desk, severity.value, title, commander, diagnose=diagnose)

    run("incident open", action, as_json=as_json, deadline=deadline)


@app.command("update", epilog="Example: ops incident update 20260301-0815-api-gateway-down-3fa9 'pool is exhausted'")
def update(
    identifier: Identifier,
    text: Annotated[str | None, typer.Argument(help="What is new.")] = None,
    severity: Annotated[SeverityName | None, typer.Option("--severity", help="It is worse, or better.")] = None,
    commander: Annotated[str | None, typer.Option("--commander", help="Who leads now.", metavar="NAME")] = None,
    status: Annotated[StatusName | None, typer.Option("--status", help="Where it stands.")] = None,
    rca: Annotated[
        Path | None, typer.Option("--rca", help="Keep and send this RCA of the closed incident.", metavar="FILE")
    ] = None,
    by: By = None,
    directory: Directory = None,
    notify: Notify = True,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Add to an incident's timeline and tell people; saying the same twice in a row changes nothing."""

    def action() -> Outcome:
        from scripts.exits import UsageError
        from scripts.incident import closing, updating
        from scripts.incident.ticket import State

        desk = _desk(config, directory, by, tell=notify, dry_run=dry_run)
        changes = updating.Changes(
            text, severity and severity.value, commander, None if status is None else State(status.value)
        )
        if rca is None:
            return updating.run(desk, identifier, changes)
        if changes != updating.Changes():
            raise UsageError("--rca goes alone: give other changes in a command of their own")
        return closing.send_rca(desk, identifier, rca)

    run("incident update", action, as_json=as_json, deadline=deadline)


@app.command("close", epilog="Example: ops incident close 20260301-0815-api-gateway-down-3fa9 'pool size raised'")
def close(
    identifier: Identifier,
    text: Annotated[str, typer.Argument(help="What ended it.")] = "",
    by: By = None,
    directory: Directory = None,
    notify: Notify = True,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Close an incident, tell people, and write the skeleton of its RCA beside the ticket."""

    def action() -> Outcome:
        from scripts.incident import closing

        return closing.run(_desk(config, directory, by, tell=notify, dry_run=dry_run), identifier, text)

    run("incident close", action, as_json=as_json, deadline=deadline)


@app.command("remind", epilog="Example: ops incident remind --dry-run")
def remind(
    directory: Directory = None,
    notify: Notify = True,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Tell people which open incidents nobody has updated or acknowledged in time, and which RCAs are overdue."""

    def action() -> Outcome:
        from scripts.incident import reminding

        return reminding.run(_desk(config, directory, None, tell=notify, dry_run=dry_run))

    run("incident remind", action, as_json=as_json, deadline=deadline)


@app.command("review", epilog="Example: ops incident review --no-notify")
def review(
    directory: Directory = None,
    notify: Annotated[
        bool | None, typer.Option("--notify/--no-notify", help="Send it [default: unless on a terminal].")
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Print and send the agenda of the weekly review: the week's incidents, what is open, which RCAs are missing."""

    def action() -> Outcome:
        from scripts import reporting
        from scripts.incident import agenda

        return agenda.run(_desk(config, directory, None, tell=reporting.reports(notify), dry_run=dry_run))

    run("incident review", action, as_json=as_json, deadline=deadline)


@app.command("list", epilog="Example: ops incident list --all --json")
def list_incidents(
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    directory: Directory = None,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """List the open incidents, newest first."""

    def action() -> Outcome:
        from scripts.incident import views

        return views.list_all(_desk(config, directory, None, tell=False, dry_run=True), closed=every)

    run("incident list", action, as_json=as_json, deadline=deadline)


@app.command("show", epilog="Example: ops incident show 20260301-0815-api-gateway-down-3fa9 --rca > rca.md")
def show(
    identifier: Identifier,
    rca: Annotated[bool, typer.Option("--rca", help="Show its RCA instead.")] = False,
    directory: Directory = None,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Show an incident with its timeline."""

    def action() -> Outcome:
        from scripts.incident import views

        return views.show_one(_desk(config, directory, None, tell=False, dry_run=True), identifier, rca=rca)

    run("incident show", action, as_json=as_json, deadline=deadline)


@app.command("simulate", epilog="Example: ops incident simulate errors latency --speed 20")
def simulate(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="What happens; several happen side by side.")],
    speed: Annotated[
        int,
        typer.Option("--speed", min=1, max=20, help="Divide every duration of rules, scrapes and routes meanwhile."),
    ] = 1,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Cause an incident in the embedded environment, and show its alert arriving and ending. Refused anywhere else."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.simulation import run as simulation

        return simulation.run(settings_file.load(config), names, speed=speed, dry_run=dry_run)

    run("incident simulate", action, as_json=as_json, deadline=deadline)


def _desk(config: str | None, directory: Path | None, by: str | None, *, tell: bool, dry_run: bool) -> Desk:
    import getpass

    from scripts import config as settings_file
    from scripts.incident.desk import Desk
    from scripts.incident.shelf import Shelf

    settings = settings_file.load(config)
    try:
        name = by or getpass.getuser()
    except (OSError, KeyError):
        # A container's user need not have a name.
        name = "ops"
    return Desk(settings, Shelf(settings, directory), name, tell=tell, dry_run=dry_run)
