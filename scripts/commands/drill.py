"""``ops drill``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome


def drill(
    check: Annotated[
        str | None, typer.Option("--check", help="Check the signature of this report instead.", metavar="KEY")
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Restore everything from the bucket alone into scratch places; measure RPO and RTO; leave a signed report.

    Example: ops drill --json
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import drill as exercise

        settings = settings_file.load(config)
        return exercise.run(settings, dry_run=dry_run) if check is None else exercise.check(settings, check)

    run("drill", action, as_json=as_json, deadline=deadline)
