"""``ops kafka topics`` (section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.ops_settings import OpsSettings
from scripts.clients.kafka import Kafka, Topic
from scripts.output import Column, Outcome, Screen


def run(settings: OpsSettings, *, internal: bool) -> Outcome:
    """Every topic with its partitions, replicas and messages."""
    kafka = Kafka(settings.kafka)
    metadata = kafka.metadata()
    topics = [topic for topic in metadata.topics.values() if internal or not topic.internal]
    found = [plain(topic, kafka.messages(topic)) for topic in topics]
    data = {"brokers": len(metadata.brokers), "brokers_expected": settings.kafka.brokers, "topics": found}
    return Outcome(data, lambda screen: _show(screen, found, f"{len(metadata.brokers)} of {settings.kafka.brokers}"))


def plain(topic: Topic, messages: int) -> dict[str, object]:
    """A topic as data for machines."""
    parts = topic.partitions
    return {
        "name": topic.name,
        "partitions": len(parts),
        "replicas": max((part.replicas for part in parts), default=0),
        "under_replicated": [part.number for part in parts if part.in_sync < part.replicas],
        "without_leader": [part.number for part in parts if part.leader is None],
        "messages": messages,
    }


def _show(screen: Screen, found: Sequence[dict[str, object]], brokers: str) -> None:
    figures = ("PARTITIONS", "REPLICAS", "MESSAGES", "UNDER-REPLICATED", "WITHOUT LEADER")
    rows: list[list[str]] = []
    for topic in found:
        counts = [len(topic[key]) for key in ("under_replicated", "without_leader")]  # type: ignore[arg-type]
        rows.append([*(str(topic[key]) for key in ("name", "partitions", "replicas", "messages")), *map(str, counts)])
    screen.table([Column("TOPIC"), *(Column(heading, right=True) for heading in figures)], rows)
    screen.line(f"{brokers} brokers")
