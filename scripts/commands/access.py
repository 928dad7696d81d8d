"""``ops access``."""

from __future__ import annotations

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, Silent, run
from scripts.output import Outcome

app = typer.Typer(help="Look at who can do what.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("review", epilog="Example: ops access review --dry-run")
def review(
    silent: Silent = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Review the namespace's rights; what is new since the last review comes first. Exit 1 on a new finding.

    To the first review nothing is new: it is what later ones are compared with.

    Each review is kept in the backup bucket; with --dry-run it is not, and nobody is told.
    """

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.access import review as access_review

        return access_review.run(settings_file.load(config), dry_run=dry_run, silent=silent)

    run("access review", action, as_json=as_json, deadline=deadline)
