"""``ops scale``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.frame import DryRun
from scripts.output import Outcome
from scripts.workloads import scale
from scripts.workloads.scale import Level

app = frame.app("Set the least replicas of the autoscaled services.")
Check = Annotated[bool, typer.Option("--check", help="Only compare; exit 1 when something differs.")]


@frame.command(app, "scale peak", "--dry-run")
def peak(settings: OpsSettings, check: Check = False, dry_run: DryRun = False) -> Outcome:
    """Before the peak hours: raise every autoscaler's least replicas."""
    return scale.run(settings, Level.PEAK, check=check, dry_run=dry_run)


@frame.command(app, "scale normal", "--check --json")
def normal(settings: OpsSettings, check: Check = False, dry_run: DryRun = False) -> Outcome:
    """After the peak hours: lower them again; the autoscalers take pods away slowly."""
    return scale.run(settings, Level.NORMAL, check=check, dry_run=dry_run)
