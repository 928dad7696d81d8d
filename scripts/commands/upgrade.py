"""``ops upgrade``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts import completion
from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome


def upgrade(
    service: Annotated[
        str,
        typer.Argument(help="The service, e.g. analytics.", metavar="SERVICE", autocompletion=completion.services),
    ],
    image: Annotated[str, typer.Argument(help="The new image, best by its digest.", metavar="IMAGE")],
    watch: Annotated[
        float,
        typer.Option(
            "--watch", min=0, help="Judge health and error rate for so long after the rollout.", metavar="SECONDS"
        ),
    ] = 120.0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="What the rollout may take.", metavar="SECONDS")
    ] = 600.0,
    health_only: Annotated[
        bool, typer.Option("--health-only", help="Do not ask Prometheus for the error rate.")
    ] = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Roll a new image out and judge it; when it does not do, the one from before is set again and proved.

    Example: ops upgrade analytics REGISTRY/analytics@sha256:DIGEST --watch 300
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.workloads import upgrade as upgrading

        request = upgrading.Request(
            service, image, watch=watch, timeout=timeout, dry_run=dry_run, health_only=health_only
        )
        return upgrading.run(settings_file.load(config), request)

    run("upgrade", action, as_json=as_json, deadline=deadline)
