"""``ops kafka topics`` (section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runbook.ops_settings import OpsSettings
from scripts.clients.kafka import Kafka, Topic
from scripts.output import Outcome

if TYPE_CHECKING:
    from rich.console import Console


def run(settings: OpsSettings, *, internal: bool) -> Outcome:
    """Every topic with its partitions, replicas and messages."""
    kafka = Kafka(settings.kafka)
    metadata = kafka.metadata()
    topics = [topic for topic in metadata.topics.values() if internal or not topic.internal]
    found = [plain(topic, kafka.messages(topic)) for topic in topics]
    data = {"brokers": len(metadata.brokers), "brokers_expected": settings.kafka.brokers, "topics": found}
    return Outcome(data, lambda console: _show(console, found, f"{len(metadata.brokers)} of {settings.kafka.brokers}"))


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


def _show(console: Console, found: Sequence[dict[str, object]], brokers: str) -> None:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading in ("TOPIC", "PARTITIONS", "REPLICAS", "MESSAGES", "UNDER-REPLICATED", "WITHOUT LEADER"):
        grid.add_column(heading, justify="left" if heading == "TOPIC" else "right")
    for topic in found:
        counts = [len(topic[key]) for key in ("under_replicated", "without_leader")]  # type: ignore[arg-type]
        grid.add_row(*(str(topic[key]) for key in ("name", "partitions", "replicas", "messages")), *map(str, counts))
    console.print(grid)
    console.print(f"{brokers} brokers", highlight=False)
