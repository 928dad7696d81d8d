"""Asks Kafka at each scrape: nothing is remembered, so that nothing shown is stale."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # pyright: ignore[reportPrivateImportUsage]

from .exposition import Samples
from .flags import Flags

# Prometheus gives a scrape 10 s: an answer that says what is missing is better than none.
_SCRAPE_SECONDS: Final = 8.0
_METADATA_SECONDS: Final = 3.0

_Ends = Mapping[tuple[str, int], int]


class Collector:
    """One scrape at a time; a second one waits and asks for itself."""

    def __init__(self, flags: Flags) -> None:
        self._flags = flags
        self._guard = threading.Lock()
        # Any: the futures of this client carry no types.
        self._admin: Any = AdminClient(
            {
                "bootstrap.servers": ",".join(flags.servers),
                "client.id": "kafka_exporter",
                "reconnect.backoff.max.ms": 1000,
                "socket.timeout.ms": int(_SCRAPE_SECONDS * 1000),
                "log_level": 2,
            }
        )

    def collect(self) -> str:
        """The answer to a scrape; what Kafka does not tell is left out and logged."""
        with self._guard:
            return _Scrape(self._admin, self._flags).run()


class _Scrape:
    def __init__(self, admin: Any, flags: Flags) -> None:
        self._admin = admin
        self._flags = flags
        self._end = time.monotonic() + _SCRAPE_SECONDS
        self._samples = Samples()

    def run(self) -> str:
        metadata = self._try("metadata", lambda: self._admin.list_topics(timeout=_METADATA_SECONDS))
        self._samples.add("kafka_brokers", len(metadata.brokers) if metadata else 0)
        if metadata:
            for number, broker in sorted(metadata.brokers.items()):
                self._samples.add("kafka_broker_info", 1, number, f"{broker.host}:{broker.port}")
            topics = {name: topic for name, topic in sorted(metadata.topics.items()) if self._flags.topics.has(name)}
            self._topics(topics)
        return self._samples.render()

    def _topics(self, topics: Mapping[str, Any]) -> None:
        # Before the ends: a commit that is read after them could be ahead of them.
        groups = self._committed(
            [TopicPartition(name, number) for name, topic in topics.items() for number in topic.partitions]
        )
        led = [
            TopicPartition(name, number)
            for name, topic in topics.items()
            for number, partition in sorted(topic.partitions.items())
            # A partition without a leader has nobody to ask, and the others would wait for it.
            if partition.leader >= 0
        ]
        oldest, ends = self._offsets(led, OffsetSpec.earliest()), self._offsets(led, OffsetSpec.latest())
        for name, topic in topics.items():
            self._samples.add("kafka_topic_partitions", len(topic.partitions), name)
            for number, partition in sorted(topic.partitions.items()):
                self._partition(name, number, partition)
        for (name, number), offset in ends.items():
            self._samples.add("kafka_topic_partition_current_offset", offset, name, number)
        for (name, number), offset in oldest.items():
            self._samples.add("kafka_topic_partition_oldest_offset", offset, name, number)
        for group, committed in groups.items():
            self._group(group, committed, ends)

    def _partition(self, topic: str, number: int, partition: Any) -> None:
        replicas, in_sync, leader = partition.replicas, partition.isrs, partition.leader
        if leader >= 0:
            self._samples.add("kafka_topic_partition_leader", leader, topic, number)
        preferred = leader >= 0 and bool(replicas) and replicas[0] == leader
        values = {
            "replicas": len(replicas),
            "in_sync_replica": len(in_sync),
            "leader_is_preferred": int(preferred),
            "under_replicated_partition": int(len(in_sync) < len(replicas)),
        }
        for name, value in values.items():
            self._samples.add(f"kafka_topic_partition_{name}", value, topic, number)

    def _group(self, group: str, committed: _Ends, ends: _Ends) -> None:
        for topic in sorted({name for name, _ in committed}):
            offsets = {number: offset for (name, number), offset in sorted(committed.items()) if name == topic}
            # A topic of which the group has committed nothing is not consumed by it.
            if all(offset < 0 for offset in offsets.values()):
                continue
            total = 0
            for number, offset in offsets.items():
                self._samples.add("kafka_consumergroup_current_offset", offset, group, topic, number)
                end = ends.get((topic, number))
                if end is not None:
                    lag = end - offset if offset >= 0 else -1
                    total += lag if offset >= 0 else 0
                    self._samples.add("kafka_consumergroup_lag", lag, group, topic, number)
            self._samples.add("kafka_consumergroup_current_offset_sum", sum(offsets.values()), group, topic)
            self._samples.add("kafka_consumergroup_lag_sum", total, group, topic)

    def _committed(self, partitions: list[TopicPartition]) -> dict[str, _Ends]:
        listed = self._try("groups", lambda: self._admin.list_consumer_groups().result(self._left()))
        names = (
            sorted(group.group_id for group in listed.valid if self._flags.groups.has(group.group_id)) if listed else []
        )
        if not names or not partitions:
            return {}
        described: Any = self._admin.describe_consumer_groups(names)
        asked: dict[str, Any] = {}
        for name in names:
            description = self._try(f"group {name}", lambda name=name: described[name].result(self._left()))
            if description:
                self._samples.add("kafka_consumergroup_members", len(description.members), name)
                # Not before its coordinator answers: librdkafka 2.16 can end the process with a segmentation fault.
                request = [ConsumerGroupTopicPartitions(name, partitions)]
                asked[name] = self._admin.list_consumer_group_offsets(request)[name]
        found: dict[str, _Ends] = {}
        for name, future in asked.items():
            answer = self._try(f"offsets of {name}", lambda future=future: future.result(self._left()))
            if answer:
                found[name] = _plain(answer.topic_partitions)
        return found

    def _offsets(self, partitions: list[TopicPartition], which: Any) -> dict[tuple[str, int], int]:
        if not partitions:
            return {}
        found: dict[tuple[str, int], int] = {}
        for part, future in self._admin.list_offsets(dict.fromkeys(partitions, which)).items():
            answer = self._try(
                f"offset of {part.topic}/{part.partition}", lambda future=future: future.result(self._left())
            )
            if answer:
                found[part.topic, part.partition] = answer.offset
        return found

    def _left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def _try(self, what: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (KafkaException, TimeoutError) as error:
            sys.stderr.write(f"no {what}: {error or type(error).__name__}\n")
            return None


def _plain(partitions: Iterable[TopicPartition]) -> _Ends:
    """Committed offsets, -1 where there is none; a partition with an error is left out."""
    return {(part.topic, part.partition): max(part.offset, -1) for part in partitions if part.error is None}
