"""``ops rotate``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.frame import DryRun, Silent
from scripts.output import Outcome
from scripts.rotation import rotate

app = frame.app("Replace secrets.")


@frame.command(app, "rotate jwt", "--if-due --json")
def jwt(
    settings: OpsSettings,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Do nothing unless the secret is old enough or an overlap is over.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Only end the overlap of the last rotation, when it is over.")
    ] = False,
    compromised: Annotated[
        bool,
        typer.Option(
            "--compromised", help="A key leaked: replace both keys at once, without an overlap. Every session ends."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before every session ends.")] = False,
    timeout: Annotated[
        float, frame.seconds("--timeout", "What each rollout of the services may take.", least=1)
    ] = 600.0,
    silent: Silent = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Replace the JWT secret without logging anybody out; the old one verifies until a later run ends the overlap.

    Whatever is killed on its way goes on when it is run again; a service that does not come back has it undone.
    A key that leaked is replaced by --compromised, in any state of a rotation, and never comes back.
    """
    request = rotate.Request(
        if_due=if_due,
        finish=finish,
        compromised=compromised,
        confirmed=yes,
        dry_run=dry_run,
        silent=silent,
        seconds=timeout,
    )
    return rotate.run(settings, request)
