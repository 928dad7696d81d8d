"""``ops certificates``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, run
from scripts.output import Outcome


def certificates(
    connect: Annotated[
        list[str] | None, typer.Option("--connect", help="Ask this endpoint too; repeatable.", metavar="HOST:PORT")
    ] = None,
    authority: Annotated[
        str | None, typer.Option("--ca", help="Who vouches for the endpoints [default: the system's].", metavar="FILE")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="What each answer may take.", metavar="SECONDS")
    ] = 10.0,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Check how long the namespace's certificates still live, as cert-manager says. Exit 1 when one needs somebody.

    Example: ops certificates --connect cryptoanalytics.com:443
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.health import certificates_command

        return certificates_command.run(settings_file.load(config), connect or (), authority, timeout=timeout)

    run("certificates", action, as_json=as_json, deadline=deadline)
