"""``ops backups``."""

from __future__ import annotations

import typer

from scripts.options import AsJson, Config, Deadline, run
from scripts.output import Outcome

app = typer.Typer(help="Look at the backups in the bucket.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("list", epilog="Example: ops backups list --json")
def list_backups(config: Config = None, deadline: Deadline = None, as_json: AsJson = False) -> None:
    """List the backups, newest first. What has no manifest is no backup and is not listed."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.backup import listing

        return listing.run(settings_file.load(config))

    run("backups list", action, as_json=as_json, deadline=deadline)
