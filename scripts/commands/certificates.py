"""``ops certificates``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.health import certificates_command
from scripts.output import Outcome

app = frame.app()


@frame.command(app, "certificates", "--connect cryptoanalytics.com:443")
def certificates(
    settings: OpsSettings,
    connect: Annotated[
        list[str] | None, typer.Option("--connect", help="Ask this endpoint too; repeatable.", metavar="HOST:PORT")
    ] = None,
    authority: Annotated[
        str | None, typer.Option("--ca", help="Who vouches for the endpoints [default: the system's].", metavar="FILE")
    ] = None,
    timeout: Annotated[float, frame.seconds("--timeout", "What each answer may take.")] = 10.0,
) -> Outcome:
    """Check how long the namespace's certificates still live, as cert-manager says. Exit 1 when one needs somebody."""
    return certificates_command.run(settings, connect or (), authority, timeout=timeout)
