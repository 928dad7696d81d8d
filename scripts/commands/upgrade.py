"""``ops upgrade``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import completion, frame
from scripts.frame import DryRun
from scripts.output import Outcome
from scripts.workloads import upgrade as upgrading

app = frame.app()


@frame.command(app, "upgrade", "analytics REGISTRY/analytics@sha256:DIGEST --watch 300")
def upgrade(
    settings: OpsSettings,
    service: completion.Service,
    image: Annotated[str, typer.Argument(help="The new image, best by its digest.", metavar="IMAGE")],
    watch: Annotated[
        float, frame.seconds("--watch", "Judge health and error rate for so long after the rollout.", least=0)
    ] = 120.0,
    timeout: Annotated[float, frame.seconds("--timeout", "What the rollout may take.", least=1)] = 600.0,
    health_only: Annotated[
        bool, typer.Option("--health-only", help="Do not ask Prometheus for the error rate.")
    ] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Roll a new image out and judge it; when it does not do, the one from before is set again and proved."""
    request = upgrading.Request(service, image, watch=watch, timeout=timeout, dry_run=dry_run, health_only=health_only)
    return upgrading.run(settings, request)
