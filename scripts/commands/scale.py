"""``ops scale``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

app = typer.Typer(
    help="Set the least replicas of the autoscaled services.", no_args_is_help=True, rich_markup_mode=None
)
_Check = Annotated[bool, typer.Option("--check", help="Only compare; exit 1 when something differs.")]


@app.callback()
def _group() -> None: ...


@app.command("peak", epilog="Example: ops scale peak --dry-run")
def peak(
    check: _Check = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Before the peak hours: raise every autoscaler's least replicas."""
    _scale("peak", check=check, config=config, dry_run=dry_run, deadline=deadline, as_json=as_json)


@app.command("normal", epilog="Example: ops scale normal --check --json")
def normal(
    check: _Check = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """After the peak hours: lower them again; the autoscalers take pods away slowly."""
    _scale("normal", check=check, config=config, dry_run=dry_run, deadline=deadline, as_json=as_json)


def _scale(
    level: str, *, check: bool, config: str | None, dry_run: bool, deadline: float | None, as_json: bool
) -> None:
    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.workloads import scale

        return scale.run(settings_file.load(config), scale.Level(level), check=check, dry_run=dry_run)

    run(f"scale {level}", action, as_json=as_json, deadline=deadline)
