"""``ops rotate``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, Silent, run
from scripts.output import Outcome

app = typer.Typer(help="Replace secrets.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("jwt", epilog="Example: ops rotate jwt --if-due --json")
def jwt(
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Do nothing unless the secret is old enough or an overlap is over.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Only end the overlap of the last rotation, when it is over.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="What each rollout of the services may take.", metavar="SECONDS")
    ] = 600.0,
    silent: Silent = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Replace the JWT secret without logging anybody out; the old one verifies until a later run ends the overlap.

    Whatever is killed on its way goes on when it is run again; a service that does not come back has it undone.
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.rotation import rotate

        request = rotate.Request(if_due=if_due, finish=finish, dry_run=dry_run, silent=silent, seconds=timeout)
        return rotate.run(settings_file.load(config), request)

    run("rotate jwt", action, as_json=as_json, deadline=deadline)
