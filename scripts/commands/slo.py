"""``ops slo``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame, reporting
from scripts.output import Outcome
from scripts.slo import check

app = frame.app()


@frame.command(app, "slo", "--no-notify --json")
def slo(
    settings: OpsSettings,
    timeout: Annotated[float, frame.seconds("--timeout", "What each query may take.")] = 10.0,
    notify: Annotated[
        bool | None,
        typer.Option("--notify/--no-notify", help="Tell people what is wrong [default: unless on a terminal]."),
    ] = None,
) -> Outcome:
    """Check the figures of the dashboards: latency, errors, nodes, prices, sentiment. Exit 1 unless all are good.

    A figure that is missing is unknown, and that is never good.
    """
    return check.run(settings, timeout=timeout, notify=reporting.reports(notify))
