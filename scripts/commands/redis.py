"""``ops redis``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

app = typer.Typer(help="Look into Redis and clear it.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("purge", epilog="Example: ops redis purge 'price:*:old' --dry-run")
def purge(
    pattern: Annotated[str, typer.Argument(help="Which keys, as a glob; quote it.", metavar="PATTERN")],
    everything: Annotated[bool, typer.Option("--all", help="The pattern may match every key.")] = False,
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Remove the keys that match, in small steps between which Redis serves everybody else."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.cache import purge as keys

        return keys.run(settings_file.load(config), pattern, everything=everything, dry_run=dry_run)

    run("redis purge", action, as_json=as_json, deadline=deadline)


@app.command("bigkeys", epilog="Example: ops redis bigkeys --top 20")
def bigkeys(
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="How many of each type.", metavar="COUNT")] = 10,
    pattern: Annotated[str, typer.Option("--match", help="Only these keys, as a glob.", metavar="PATTERN")] = "*",
    samples: Annotated[
        int,
        typer.Option("--samples", min=1, max=1000, help="Elements of a large key that are measured.", metavar="COUNT"),
    ] = 5,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Show the keys that take most memory, by type."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.cache import bigkeys as keys

        return keys.run(settings_file.load(config), pattern=pattern, top=top, samples=samples)

    run("redis bigkeys", action, as_json=as_json, deadline=deadline)
