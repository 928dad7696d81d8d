"""``ops updates``."""

from __future__ import annotations

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.frame import Silent
from scripts.output import Outcome
from scripts.workloads import updates as agenda

app = frame.app()


@frame.command(app, "updates", "--silent")
def updates(settings: OpsSettings, silent: Silent = False) -> Outcome:
    """Collect the agenda of the monthly maintenance: images, restarts, CronJobs without a success. Changes nothing."""
    return agenda.run(settings, silent=silent)
