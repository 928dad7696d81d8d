"""``ops diagnose``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, run
from scripts.output import Outcome


def diagnose(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="Where to write it [default: diagnosis-NAMESPACE-TIME.tar.gz here].", metavar="FILE"
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="What each part may take; all at once.", metavar="SECONDS")
    ] = 20.0,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Gather logs, events, descriptions, usage and metrics in one file, without secrets.

    A part that cannot be had is named in it and costs no other anything.

    Example: ops diagnose --output /tmp/incident.tar.gz
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.diagnosis import bundle

        return bundle.run(settings_file.load(config), output, timeout=timeout)

    run("diagnose", action, as_json=as_json, deadline=deadline)
