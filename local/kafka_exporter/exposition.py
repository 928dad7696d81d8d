"""The metrics of the genuine exporter, by prometheus_client."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_PARTITION: Final = ("topic", "partition")
_GROUP_TOPIC: Final = ("consumergroup", "topic")
_GROUP_PARTITION: Final = (*_GROUP_TOPIC, "partition")
# Name -> labels and help; the order of the answer.
_FAMILIES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "kafka_exporter_build_info": (("branch", "goversion", "revision", "version"), "What answers here."),
    "kafka_brokers": ((), "Brokers that the cluster lists."),
    "kafka_broker_info": (("id", "address"), "A broker that the cluster lists."),
    "kafka_topic_partitions": (("topic",), "Partitions of the topic."),
    "kafka_topic_partition_leader": (_PARTITION, "Id of the broker that leads the partition."),
    "kafka_topic_partition_current_offset": (_PARTITION, "Offset that the next message of the partition gets."),
    "kafka_topic_partition_oldest_offset": (_PARTITION, "Offset of the oldest message that the partition keeps."),
    "kafka_topic_partition_replicas": (_PARTITION, "Replicas that the partition should have."),
    "kafka_topic_partition_in_sync_replica": (_PARTITION, "Replicas that are in sync."),
    "kafka_topic_partition_leader_is_preferred": (_PARTITION, "1 when the first replica leads the partition."),
    "kafka_topic_partition_under_replicated_partition": (_PARTITION, "1 when a replica is not in sync."),
    "kafka_consumergroup_members": (("consumergroup",), "Members of the group."),
    "kafka_consumergroup_current_offset": (_GROUP_PARTITION, "Offset that the group committed, -1 for none."),
    "kafka_consumergroup_current_offset_sum": (_GROUP_TOPIC, "Sum of the group's offsets over the topic."),
    "kafka_consumergroup_lag": (_GROUP_PARTITION, "Messages that the group is behind, -1 without a commit."),
    "kafka_consumergroup_lag_sum": (_GROUP_TOPIC, "Messages that the group is behind where it has committed."),
}


class Samples(Collector):
    """The samples of one answer."""

    def __init__(self) -> None:
        self._families = {
            name: GaugeMetricFamily(name, text, labels=labels) for name, (labels, text) in _FAMILIES.items()
        }
        self.add("kafka_exporter_build_info", 1, "local", "none", "none", "stand-in")

    def add(self, name: str, value: int, *labels: str | int) -> None:
        """Add a sample of a known name with the values of its labels."""
        self._families[name].add_metric([str(given) for given in labels], value)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families that have samples."""
        return (family for family in self._families.values() if family.samples)

    def render(self) -> str:
        """The whole answer."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()
