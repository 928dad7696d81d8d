"""``ops incident``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame, reporting
from scripts.exits import UsageError
from scripts.frame import DryRun
from scripts.incident import agenda, closing, opening, reminding, updating, views
from scripts.incident.desk import Desk
from scripts.incident.shelf import Shelf
from scripts.incident.ticket import State
from scripts.output import Outcome
from scripts.simulation import run as simulation

app = frame.app("Incidents: tickets, reminders, RCAs, review.")


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


@frame.command(app, "incident open", "P1 'API gateway down' --diagnose")
def open_(
    settings: OpsSettings,
    severity: Annotated[SeverityName, typer.Argument(help="P1 production down, P2 major, P3 minor, P4 request.")],
    title: Annotated[str, typer.Argument(help="What is broken, in a few words.")],
    commander: Annotated[str | None, typer.Option("--commander", help="Who leads [default: you].")] = None,
    diagnose: Annotated[bool, typer.Option("--diagnose", help="Attach the bundle of ops diagnose.")] = False,
    by: By = None,
    directory: Directory = None,
    notify: Notify = True,
    dry_run: DryRun = False,
) -> Outcome:
    """Open an incident and tell people; one that is open under the same title already stays the only one."""
    desk = _desk(settings, directory, by, tell=notify, dry_run=dry_run)
    return opening.run(desk, severity.value, title, commander, diagnose=diagnose)


@frame.command(app, "incident update", "20260301-0815-api-down-3fa9 'pool is exhausted'")
def update(
    settings: OpsSettings,
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
    dry_run: DryRun = False,
) -> Outcome:
    """Add to an incident's timeline and tell people; saying the same twice in a row changes nothing."""
    desk = _desk(settings, directory, by, tell=notify, dry_run=dry_run)
    state = None if status is None else State(status.value)
    changes = updating.Changes(text, severity and severity.value, commander, state)
    if rca is None:
        return updating.run(desk, identifier, changes)
    if changes != updating.Changes():
        raise UsageError("--rca goes alone: give other changes in a command of their own")
    return closing.send_rca(desk, identifier, rca)


@frame.command(app, "incident close", "20260301-0815-api-down-3fa9 'pool size raised'")
def close(
    settings: OpsSettings,
    identifier: Identifier,
    text: Annotated[str, typer.Argument(help="What ended it.")] = "",
    by: By = None,
    directory: Directory = None,
    notify: Notify = True,
    dry_run: DryRun = False,
) -> Outcome:
    """Close an incident, tell people, and write the skeleton of its RCA beside the ticket."""
    return closing.run(_desk(settings, directory, by, tell=notify, dry_run=dry_run), identifier, text)


@frame.command(app, "incident remind", "--dry-run")
def remind(
    settings: OpsSettings, directory: Directory = None, notify: Notify = True, dry_run: DryRun = False
) -> Outcome:
    """Tell people which open incidents nobody has updated or acknowledged in time, and which RCAs are overdue."""
    return reminding.run(_desk(settings, directory, tell=notify, dry_run=dry_run))


@frame.command(app, "incident review", "--no-notify")
def review(
    settings: OpsSettings,
    directory: Directory = None,
    notify: Annotated[
        bool | None, typer.Option("--notify/--no-notify", help="Send it [default: unless on a terminal].")
    ] = None,
    dry_run: DryRun = False,
) -> Outcome:
    """Print and send the agenda of the weekly review: the week's incidents, what is open, which RCAs are missing."""
    return agenda.run(_desk(settings, directory, tell=reporting.reports(notify), dry_run=dry_run))


@frame.command(app, "incident list", "--all --json")
def list_incidents(
    settings: OpsSettings,
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    directory: Directory = None,
) -> Outcome:
    """List the open incidents, newest first."""
    return views.list_all(_desk(settings, directory), closed=every)


@frame.command(app, "incident show", "20260301-0815-api-down-3fa9 --rca > rca.md")
def show(
    settings: OpsSettings,
    identifier: Identifier,
    rca: Annotated[bool, typer.Option("--rca", help="Show its RCA instead.")] = False,
    directory: Directory = None,
) -> Outcome:
    """Show an incident with its timeline."""
    return views.show_one(_desk(settings, directory), identifier, rca=rca)


@frame.command(app, "incident simulate", "errors latency --speed 20")
def simulate(
    settings: OpsSettings,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="What happens; several happen side by side.")],
    speed: Annotated[
        int,
        typer.Option("--speed", min=1, max=20, help="Divide every duration of rules, scrapes and routes meanwhile."),
    ] = 1,
    dry_run: DryRun = False,
) -> Outcome:
    """Cause an incident in the embedded environment, and show its alert arriving and ending. Refused anywhere else."""
    return simulation.run(settings, names, speed=speed, dry_run=dry_run)


def _desk(
    settings: OpsSettings, directory: Path | None, by: str | None = None, *, tell: bool = False, dry_run: bool = True
) -> Desk:
    return Desk(settings, Shelf(settings, directory), by or frame.user(), tell=tell, dry_run=dry_run)
