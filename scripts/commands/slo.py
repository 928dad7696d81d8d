"""``ops slo``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, run
from scripts.output import Outcome


def slo(
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="What each query may take.", metavar="SECONDS")
    ] = 10.0,
    notify: Annotated[
        bool | None,
        typer.Option("--notify/--no-notify", help="Tell people what is wrong [default: unless on a terminal]."),
    ] = None,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Check the figures of the dashboards: latency, errors, nodes, prices, sentiment. Exit 1 unless all are good.

    A figure that is missing is unknown, and that is never good.

    Example: ops slo --no-notify --json
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts import reporting
        from scripts.slo import check

        return check.run(settings_file.load(config), timeout=timeout, notify=reporting.reports(notify))

    run("slo", action, as_json=as_json, deadline=deadline)
