"""``ops drill``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.backup import drill as exercise
from scripts.frame import DryRun, Scratch
from scripts.output import Outcome

app = frame.app()


@frame.command(app, "drill", "--json")
def drill(
    settings: OpsSettings,
    check: Annotated[
        str | None, typer.Option("--check", help="Check the signature of this report instead.", metavar="KEY")
    ] = None,
    scratch: Scratch = None,
    dry_run: DryRun = False,
) -> Outcome:
    """Restore everything from the bucket alone into scratch places; measure RPO and RTO; leave a signed report."""
    return (
        exercise.run(settings, scratch=scratch, dry_run=dry_run) if check is None else exercise.check(settings, check)
    )
