"""``ops kafka``."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AsJson, Config, Deadline, DryRun, run
from scripts.output import Outcome

app = typer.Typer(help="Look into Kafka.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None: ...


@app.command("lag", epilog="Example: ops kafka lag --group analytics-service")
def lag(
    group: Annotated[
        str | None, typer.Option("--group", help="Consumer group [default: the settings' one].", metavar="NAME")
    ] = None,
    topic: Annotated[
        str | None, typer.Option("--topic", help="Topic [default: the settings' one].", metavar="NAME")
    ] = None,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Show how far a consumer group is behind in each partition."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.topics import lag as shown

        return shown.run(settings_file.load(config), group=group, topic=topic)

    run("kafka lag", action, as_json=as_json, deadline=deadline)


@app.command("topics", epilog="Example: ops kafka topics --json")
def topics(
    internal: Annotated[bool, typer.Option("--internal", help="Those that Kafka keeps for itself, too.")] = False,
    config: Config = None,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Show the topics with their partitions, replicas and messages."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.topics import listing

        return listing.run(settings_file.load(config), internal=internal)

    run("kafka topics", action, as_json=as_json, deadline=deadline)


@app.command("partitions", epilog="Example: ops kafka partitions price_updates 24 --dry-run")
def partitions(
    topic: Annotated[str, typer.Argument(help="The topic.", metavar="TOPIC")],
    count: Annotated[int, typer.Argument(min=1, help="How many it is to have.", metavar="COUNT")],
    config: Config = None,
    dry_run: DryRun = False,
    deadline: Deadline = None,
    as_json: AsJson = False,
) -> None:
    """Give a topic more partitions. Keys move to other partitions; there is no way back."""

    def action() -> Outcome:
        from scripts import config as settings_file
        from scripts.topics import partitions as raised

        return raised.run(settings_file.load(config), topic, count, dry_run=dry_run)

    run("kafka partitions", action, as_json=as_json, deadline=deadline)
