"""``ops diagnose``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.diagnosis import bundle
from scripts.output import Outcome

app = frame.app()


@frame.command(app, "diagnose", "--output /tmp/incident.tar.gz")
def diagnose(
    settings: OpsSettings,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="Where to write it [default: diagnosis-NAMESPACE-TIME.tar.gz here].", metavar="FILE"
        ),
    ] = None,
    timeout: Annotated[float, frame.seconds("--timeout", "What each part may take; all at once.")] = 20.0,
) -> Outcome:
    """Gather logs, events, descriptions, usage and metrics in one file, without secrets.

    A part that cannot be had is named in it and costs no other anything.
    """
    return bundle.run(settings, output, timeout=timeout)
