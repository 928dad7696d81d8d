"""``ops kafka``."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.frame import DryRun
from scripts.output import Outcome
from scripts.topics import lag as shown
from scripts.topics import listing
from scripts.topics import partitions as raised

app = frame.app("Look into Kafka.")


@frame.command(app, "kafka lag", "--group analytics-service")
def lag(
    settings: OpsSettings,
    group: Annotated[
        str | None, typer.Option("--group", help="Consumer group [default: the settings' one].", metavar="NAME")
    ] = None,
    topic: Annotated[
        str | None, typer.Option("--topic", help="Topic [default: the settings' one].", metavar="NAME")
    ] = None,
) -> Outcome:
    """Show how far a consumer group is behind in each partition."""
    return shown.run(settings, group=group, topic=topic)


@frame.command(app, "kafka topics", "--json")
def topics(
    settings: OpsSettings,
    internal: Annotated[bool, typer.Option("--internal", help="Those that Kafka keeps for itself, too.")] = False,
) -> Outcome:
    """Show the topics with their partitions, replicas and messages."""
    return listing.run(settings, internal=internal)


@frame.command(app, "kafka partitions", "price_updates 48 --dry-run")
def partitions(
    settings: OpsSettings,
    topic: Annotated[str, typer.Argument(help="The topic.", metavar="TOPIC")],
    count: Annotated[int, typer.Argument(min=1, max=10_000, help="How many it is to have.", metavar="COUNT")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the partitions are raised.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Give a topic more partitions. Keys move to other partitions; there is no way back, and you are asked first."""
    return raised.run(settings, topic, count, confirmed=yes, dry_run=dry_run)
