"""Kafka: brokers against what there must be, partitions with too few replicas, and the lag of the consumer group."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from runbook import thresholds
from runbook.ops_settings import KafkaTarget, OpsSettings
from scripts.health.model import Check, Finding, Status


def checks(settings: OpsSettings) -> list[Check]:
    """One check with several findings: they share one connection."""
    return [Check("kafka", partial(_look, settings.kafka))]


def _look(target: KafkaTarget, timeout: float) -> Sequence[Finding]:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    if refusal := _refusal(target.bootstrap, timeout / 4):
        return [Finding("kafka", Status.FAIL, detail=refusal)]
    # librdkafka retries for ever and logs to stderr; the check's own deadline decides.
    admin: Any = AdminClient(
        {"bootstrap.servers": target.bootstrap, "socket.timeout.ms": max(int(timeout * 1000), 10), "log_level": 0},
        logger=_Silent(),
    )
    try:
        metadata: Any = admin.list_topics(timeout=timeout * 0.8)
    except KafkaException as error:
        reason = error.args[0].str() if error.args else str(error)
        return [Finding("kafka", Status.FAIL, detail=f"{target.bootstrap}: {reason}")]
    return [
        _brokers(len(metadata.brokers), target.brokers),
        _replicas(metadata),
        _guarded("kafka lag", lambda: _lag(admin, metadata, target, timeout)),
    ]


def _refusal(bootstrap: str, timeout: float) -> str | None:
    """Why none of the addresses accepts a connection, or None: librdkafka would try until the deadline."""
    reasons: list[str] = []
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout).close()
        except (OSError, ValueError) as error:
            reasons.append(f"{address.strip()}: {error}")
        else:
            return None
    return "; ".join(reasons)


def _brokers(found: int, expected: int) -> Finding:
    # A broker that is down is simply missing from the list: only the expected number shows it.
    status = Status.OK if found >= expected else Status.FAIL
    return Finding("kafka brokers", status, str(found), f">= {expected}")


def _replicas(metadata: Any) -> Finding:
    short = [
        f"{name}/{number}"
        for name, topic in sorted(metadata.topics.items())
        for number, partition in sorted(topic.partitions.items())
        if len(partition.isrs) < len(partition.replicas)
    ]
    status = Status.FAIL if short else Status.OK
    return Finding("kafka under-replicated", status, str(len(short)), "0", ", ".join(short[:5]))


def _lag(admin: Any, metadata: Any, target: KafkaTarget, timeout: float) -> Finding:
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
    from confluent_kafka.admin import OffsetSpec  # pyright: ignore[reportPrivateImportUsage]

    name = "kafka lag"
    if target.topic not in metadata.topics:
        return Finding(name, Status.FAIL, detail=f"topic {target.topic} does not exist")
    partitions = [TopicPartition(target.topic, number) for number in metadata.topics[target.topic].partitions]
    request = [ConsumerGroupTopicPartitions(target.group, partitions)]
    committed: Any = admin.list_consumer_group_offsets(request)[target.group].result(timeout)
    done = {part.partition: part.offset for part in committed.topic_partitions if part.offset >= 0}
    if not done:
        return Finding(name, Status.WARN, detail=f"group {target.group} has read nothing from {target.topic}")
    latest: Any = admin.list_offsets({part: OffsetSpec.latest() for part in partitions})
    earliest: Any = admin.list_offsets({part: OffsetSpec.earliest() for part in partitions})
    ends = {part.partition: future.result(timeout).offset for part, future in latest.items()}
    starts = {part.partition: future.result(timeout).offset for part, future in earliest.items()}
    lag = total_lag(starts, ends, done)
    limit = thresholds.KAFKA_LAG.count
    return Finding(name, Status.OK if lag <= limit else Status.FAIL, str(lag), f"<= {limit}", f"group {target.group}")


def total_lag(starts: dict[int, int], ends: dict[int, int], committed: dict[int, int]) -> int:
    """Messages that a group has not read: a partition without a commit counts from its first message."""
    return sum(max(0, end - committed.get(number, starts.get(number, 0))) for number, end in ends.items())


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a finding
        return Finding(name, Status.FAIL, detail=str(error) or type(error).__name__)


class _Silent:
    """A logger that drops everything: what a client retries in the background is no finding."""

    def log(self, *_: object, **__: object) -> None:
        """Nothing."""
