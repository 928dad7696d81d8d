"""Kafka: brokers against what there must be, partitions with too few replicas, and the lag of the consumer group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from runbook import thresholds
from runbook.ops_settings import KafkaTarget, OpsSettings
from scripts.clients.kafka import Kafka, Metadata
from scripts.health.model import Check, Finding, Status


def checks(settings: OpsSettings) -> list[Check]:
    """One check with several findings: they share one connection."""
    return [Check("kafka", partial(_look, settings.kafka))]


def _look(target: KafkaTarget, timeout: float) -> Sequence[Finding]:
    kafka = Kafka(target, seconds=timeout)
    metadata = kafka.metadata()
    return [
        _brokers(len(metadata.brokers), target.brokers),
        _replicas(metadata),
        _guarded("kafka lag", lambda: _lag(kafka, metadata, target)),
    ]


def _brokers(found: int, expected: int) -> Finding:
    # A broker that is down is simply missing from the list: only the expected number shows it.
    status = Status.OK if found >= expected else Status.FAIL
    return Finding("kafka brokers", status, str(found), f">= {expected}")


def _replicas(metadata: Metadata) -> Finding:
    short = [
        f"{topic.name}/{partition.number}"
        for topic in metadata.topics.values()
        for partition in topic.partitions
        if partition.in_sync < partition.replicas
    ]
    status = Status.FAIL if short else Status.OK
    return Finding("kafka under-replicated", status, str(len(short)), "0", ", ".join(short[:5]))


def _lag(kafka: Kafka, metadata: Metadata, target: KafkaTarget) -> Finding:
    name = "kafka lag"
    if target.topic not in metadata.topics:
        return Finding(name, Status.FAIL, detail=f"topic {target.topic} does not exist")
    found = kafka.lag(target.group, [metadata.topics[target.topic]])
    if all(partition.committed is None for partition in found):
        return Finding(name, Status.WARN, detail=f"group {target.group} has read nothing from {target.topic}")
    lag = sum(partition.lag for partition in found)
    limit = thresholds.KAFKA_LAG.count
    ahead = [str(partition.number) for partition in found if partition.ahead]
    detail = f"group {target.group}" + (
        f": committed ahead of the end in partition {', '.join(ahead)}" if ahead else ""
    )
    status = Status.FAIL if lag > limit else Status.WARN if ahead else Status.OK
    return Finding(name, status, str(lag), f"<= {limit}", detail)


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a finding
        return Finding(name, Status.FAIL, detail=str(error) or type(error).__name__)
