"""``ops redis``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.cache import bigkeys as largest
from scripts.cache import purge as purging
from scripts.frame import DryRun
from scripts.output import Outcome

app = frame.app("Look into Redis and clear it.")


@frame.command(app, "redis purge", "'price:*:old' --dry-run")
def purge(
    settings: OpsSettings,
    pattern: Annotated[str, typer.Argument(help="Which keys, as a glob; quote it.", metavar="PATTERN")],
    everything: Annotated[bool, typer.Option("--all", help="The pattern may match every key.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Remove the keys that match, in small steps between which Redis serves everybody else."""
    return purging.run(settings, pattern, everything=everything, dry_run=dry_run)


@frame.command(app, "redis bigkeys", "--top 20")
def bigkeys(
    settings: OpsSettings,
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="How many of each type.", metavar="COUNT")] = 10,
    pattern: Annotated[str, typer.Option("--match", help="Only these keys, as a glob.", metavar="PATTERN")] = "*",
    samples: Annotated[
        int,
        typer.Option("--samples", min=1, max=1000, help="Elements of a large key that are measured.", metavar="COUNT"),
    ] = 5,
) -> Outcome:
    """Show the keys that take most memory, by type."""
    return largest.run(settings, pattern=pattern, top=top, samples=samples)
