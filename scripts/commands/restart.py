"""``ops restart``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts import completion
from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome


def restart(
    service: Annotated[
        str,
        typer.Argument(help="The service, e.g. analytics.", metavar="SERVICE", autocompletion=completion.services),
    ],
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="What the rollout may take.", metavar="SECONDS")
    ] = 600.0,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Replace a service's pods one after the other and wait until the new ones serve. Exit 1 says what they wait for.

    Example: ops restart analytics --timeout 300
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.workloads import restart as rolling

        return rolling.run(settings_file.load(config), service, seconds=timeout, dry_run=dry_run)

    run("restart", action, as_json=as_json, deadline=deadline)
