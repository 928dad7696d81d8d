"""``ops kafka lag`` (section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from runbook import thresholds
from runbook.ops_settings import OpsSettings
from scripts.clients.kafka import Kafka, PartitionLag, topic_named
from scripts.exits import UsageError
from scripts.output import Column, Outcome, Part, Screen


def run(settings: OpsSettings, *, group: str | None, topic: str | None) -> Outcome:
    """How far a consumer group is behind in each partition of a topic.

    Raises:
        UsageError: there is no such topic, or a group that was asked for by name.
    """
    target = settings.kafka
    kafka = Kafka(target)
    name = group or target.group
    found = kafka.lag(name, [topic_named(kafka.metadata(), topic or target.topic)])
    members = kafka.members(name)
    known = any(part.committed is not None for part in found)
    if group and not known and not members and group not in (groups := kafka.groups()):
        raise UsageError(f"group {group} does not exist; there are: {', '.join(groups) or 'none'}")
    lag, limit = sum(part.lag for part in found), thresholds.KAFKA_LAG.count
    data: dict[str, object] = {
        "group": name,
        "topic": topic or target.topic,
        "members": members,
        "lag": lag,
        "limit": limit,
        "over_limit": lag > limit,
        "never_committed": [part.number for part in found if part.committed is None],
        "ahead": [part.number for part in found if part.ahead],
        "partitions": [
            {"partition": part.number, "committed": part.committed, "end": part.end, "lag": part.lag} for part in found
        ],
    }
    return Outcome(data, lambda screen: _show(screen, data, found))


def _show(screen: Screen, data: dict[str, object], found: Sequence[PartitionLag]) -> None:
    screen.table(
        [Column(heading, right=True) for heading in ("PARTITION", "COMMITTED", "END", "LAG")],
        [[str(part.number), _committed(part), str(part.end), str(part.lag)] for part in found],
    )
    screen.line(
        f"{data['group']} on {data['topic']}: {data['lag']:,} behind (",
        ("over the limit of", "red") if data["over_limit"] else "limit",
        f" {data['limit']:,}), {data['members']} members",
    )
    if data["never_committed"]:
        screen.line("-: nothing committed; what the partition keeps counts as not read")
    if data["ahead"]:
        screen.line(
            "!: committed ahead of the end, because the topic was made anew or has lost messages; what the partition"
            " keeps counts as not read, and the consumers go on from where their auto.offset.reset says"
        )


def _committed(part: PartitionLag) -> Part:
    if part.ahead:
        return f"! {part.committed}", "red"
    return "-" if part.committed is None else str(part.committed)
