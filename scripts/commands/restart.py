"""``ops restart``."""

from __future__ import annotations

from typing import Annotated

from runbook.ops_settings import OpsSettings
from scripts import completion, frame
from scripts.frame import DryRun
from scripts.output import Outcome
from scripts.workloads import restart as rolling

app = frame.app()


@frame.command(app, "restart", "analytics --timeout 300")
def restart(
    settings: OpsSettings,
    service: completion.Service,
    timeout: Annotated[float, frame.seconds("--timeout", "What the rollout may take.", least=1)] = 600.0,
    dry_run: DryRun = False,
) -> Outcome:
    """Replace a service's pods one after the other and wait until the new ones serve. Exit 1 says what they wait for."""  # noqa: E501 - one line of help
    return rolling.run(settings, service, seconds=timeout, dry_run=dry_run)
