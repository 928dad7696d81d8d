"""``ops logs``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome


def logs(
    since: Annotated[str, typer.Option("--since", help="How far to look back: 90s, 15m, 1h30m, 2d.")] = "1h",
    notify: Annotated[
        bool | None,
        typer.Option("--notify/--no-notify", help="Tell people of new errors [default: unless on a terminal]."),
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Group the errors of all pods by pattern, new ones first. Exit 1 when an error is new.

    New is what no review of the last days has seen (to the first one nothing is); what this one sees is known to the
    next, unless with --dry-run.

    Example: ops logs --since 2h --dry-run
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts import durations, reporting
        from scripts.log_review import review

        back = durations.seconds(since)
        return review.run(
            settings_file.load(config), since_seconds=back, tell=reporting.reports(notify), dry_run=dry_run
        )

    run("logs", action, as_json=as_json, deadline=deadline)
