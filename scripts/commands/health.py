"""``ops health``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame, reporting
from scripts.health import check
from scripts.output import Outcome

app = frame.app()


@frame.command(app, "health", "--timeout 5 --json")
def health(
    settings: OpsSettings,
    timeout: Annotated[float, frame.seconds("--timeout", "What each check may take; they run side by side.")] = 10.0,
    notify: Annotated[
        bool | None,
        typer.Option(
            "--notify/--no-notify",
            help="Send the result with what has changed, and keep it [default: unless on a terminal].",
        ),
    ] = None,
) -> Outcome:
    """Check everything at once, from the cluster to the backups and certificates. Exit 1 when anything fails."""
    return check.run(settings, timeout=timeout, tell=reporting.reports(notify))
