"""``ops kafka partitions`` (section 3.4)."""

from __future__ import annotations

import time
from typing import Final

from runbook.ops_settings import OpsSettings
from scripts.clients.kafka import Kafka, topic_named
from scripts.exits import TemporaryError, UsageError
from scripts.output import Outcome, confirm

MOVED: Final = (
    "it cannot be undone; messages of a key go to another partition from then on: their order is kept before and after "
    "this, not across it, and the group's consumers are assigned anew"
)
_KNOWN_WITHIN_SECONDS: Final = 15.0


def run(settings: OpsSettings, topic: str, count: int, *, confirmed: bool, dry_run: bool) -> Outcome:
    """Raise a topic's partitions to ``count``, once it is ``confirmed``; nothing happens where it has as many.

    Raises:
        UsageError: there is no such topic, or it has more: Kafka cannot take partitions away.
    """
    kafka = Kafka(settings.kafka)
    before = len(topic_named(kafka.metadata(), topic).partitions)
    if count < before:
        raise UsageError(
            f"topic {topic} has {before} partitions and Kafka cannot take any away: give {before} or more, "
            "or move the messages to a new topic"
        )
    if count > before:
        if not confirmed and not dry_run:
            raises = f"{topic} from {before} to {count} partitions"
            confirm(f"raises {raises}, and {MOVED}", f"Raise {raises}? Note that {MOVED}.")
        kafka.raise_partitions(topic, count, dry_run=dry_run)
        if not dry_run:
            _await(kafka, topic, count)
    changed = count > before
    data: dict[str, object] = {"topic": topic, "before": before, "partitions": count, "dry_run": dry_run}
    data |= {"changed": changed and not dry_run, **({"note": MOVED} if changed else {})}
    verb = "would get" if dry_run else "has now"
    line = (
        f"{topic} {verb} {count} partitions (before: {before}); {MOVED}"
        if changed
        else f"{topic} has {count} partitions"
    )
    return Outcome(data, lambda screen: screen.line(line))


def _await(kafka: Kafka, topic: str, count: int) -> None:
    """Wait until the brokers tell clients of the new partitions."""
    end = time.monotonic() + _KNOWN_WITHIN_SECONDS
    while len(topic_named(kafka.metadata(), topic).partitions) < count:
        if time.monotonic() > end:
            raise TemporaryError(f"topic {topic}: the brokers accepted {count} partitions and do not list them yet")
        time.sleep(0.1)
