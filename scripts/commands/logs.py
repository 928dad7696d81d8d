"""``ops logs``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import durations, frame, reporting
from scripts.frame import DryRun
from scripts.log_review import review
from scripts.output import Outcome

app = frame.app()


@frame.command(app, "logs", "--since 2h --dry-run")
def logs(
    settings: OpsSettings,
    since: Annotated[str, typer.Option("--since", help="How far to look back: 90s, 15m, 1h30m, 2d.")] = "1h",
    notify: Annotated[
        bool | None,
        typer.Option("--notify/--no-notify", help="Tell people of new errors [default: unless on a terminal]."),
    ] = None,
    dry_run: DryRun = False,
) -> Outcome:
    """Group the errors of all pods by pattern, new ones first. Exit 1 when an error is new.

    New is what no review of the last days has seen (to the first one nothing is); what this one sees is known to the
    next, unless with --dry-run.
    """
    back = durations.seconds(since)
    return review.run(settings, since_seconds=back, tell=reporting.reports(notify), dry_run=dry_run)
