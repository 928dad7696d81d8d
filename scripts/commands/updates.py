"""``ops updates``."""

from __future__ import annotations

from scripts.options import AsJson, Config, Deadline, Silent, run
from scripts.output import Outcome


def updates(silent: Silent = False, config: Config = None, deadline: Deadline = None, as_json: AsJson = False) -> None:
    """Collect the agenda of the monthly maintenance: images, restarts, CronJobs without a success. Changes nothing.

    Example: ops updates --silent
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.workloads import updates as agenda

        return agenda.run(settings_file.load(config), silent=silent)

    run("updates", action, as_json=as_json, deadline=deadline)
