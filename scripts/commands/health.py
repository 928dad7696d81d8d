"""``ops health``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, run
from scripts.output import Outcome


def health(
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, help="What each check may take; they run side by side.", metavar="SECONDS"),
    ] = 10.0,
    notify: Annotated[
        bool | None,
        typer.Option(
            "--notify/--no-notify",
            help="Send the result with what has changed, and keep it [default: unless on a terminal].",
        ),
    ] = None,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Check everything at once, from the cluster to the backups and certificates. Exit 1 when anything fails.

    Example: ops health --timeout 5 --json
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts import reporting
        from scripts.health import check

        return check.run(settings_file.load(config), timeout=timeout, tell=reporting.reports(notify))

    run("health", action, as_json=as_json, deadline=deadline)
