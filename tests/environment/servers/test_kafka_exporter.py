"""The stand-in for the Kafka exporter against real brokers. The tests of this file share two of them, in order."""

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client.parser import text_string_to_metric_families

from tests.running.owned import owned
from tests.running.slots import free_port
from tests.services import servers
from tests.services.servers import Kafka
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

# As people read them; an answer has them in the order of the alphabet.
_ORDER = ("consumergroup", "id", "address", "topic", "partition", "branch", "goversion", "revision", "version")

Metrics = Mapping[tuple[str, tuple[str, ...]], int]


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with servers.kafka(brokers=2) as cluster:
        admin: Any = AdminClient({"bootstrap.servers": cluster.bootstrap})
        topics = [NewTopic("price_updates", 3, 2), NewTopic("audit", 1, 1)]
        for future in admin.create_topics(topics).values():
            future.result(30)
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
        for number, messages in enumerate((10, 5, 7)):
            for _ in range(messages):
                producer.produce("price_updates", b"x", partition=number)
        assert producer.flush(30) == 0
        yield cluster


@contextmanager
def _exporter(*flags: str) -> Generator[tuple[int, "subprocess.Popen[bytes]"]]:
    port = free_port()
    command = [sys.executable, "-m", "local.kafka_exporter", *flags, f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(owned(command), stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: servers.accepts(port), "the exporter listens")
        yield port, process
    finally:
        process.kill()
        process.wait(10)


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=15) as answer:
        assert answer.status == 200
        return answer.read().decode()


def _scrape(port: int) -> Metrics:
    """Name and values of the labels, in the order above, to the value."""
    samples = [sample for family in text_string_to_metric_families(_get(port, "/metrics")) for sample in family.samples]
    found = {
        (sample.name, tuple(sample.labels[name] for name in _ORDER if name in sample.labels)): int(sample.value)
        for sample in samples
    }
    assert len(found) == len(samples), "each series once"
    assert all(set(sample.labels) <= set(_ORDER) for sample in samples)
    return found


def _answer(port: int, name: str, *labels: str) -> Metrics:
    """The first answer that has this sample: what Kafka does not tell in time is left out of an answer."""
    answers: list[Metrics] = []

    def whole() -> bool:
        answers.append(_scrape(port))
        return (name, labels) in answers[-1]

    wait_until(whole, f"the answer has {name} of {labels}")
    return answers[-1]


def _named(metrics: Metrics, name: str) -> dict[tuple[str, ...], int]:
    return {labels: value for (found, labels), value in metrics.items() if found == name}


def _commit(kafka: Kafka, group: str, offsets: Mapping[int, int]) -> None:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})
    try:
        wanted = [TopicPartition("price_updates", number, offset) for number, offset in offsets.items()]
        consumer.commit(offsets=wanted, asynchronous=False)
    finally:
        consumer.close()


def test_brokers_topics_and_replicas_are_shown_as_the_cluster_has_them(kafka: Kafka) -> None:
    with _exporter(*(f"--kafka.server={broker.address}" for broker in kafka.brokers)) as (port, _):
        metrics = _answer(port, "kafka_topic_partition_oldest_offset", "price_updates", "0")

    assert _named(metrics, "kafka_brokers") == {(): 2}
    addresses = {(str(number), broker.address): 1 for number, broker in enumerate(kafka.brokers, start=1)}
    assert _named(metrics, "kafka_broker_info") == addresses
    assert {("price_updates",): 3, ("audit",): 1}.items() <= _named(metrics, "kafka_topic_partitions").items()
    assert _named(metrics, "kafka_topic_partition_current_offset")["price_updates", "0"] == 10
    assert _named(metrics, "kafka_topic_partition_oldest_offset")["price_updates", "0"] == 0
    for number in range(3):
        assert metrics["kafka_topic_partition_replicas", ("price_updates", str(number))] == 2
        assert metrics["kafka_topic_partition_in_sync_replica", ("price_updates", str(number))] == 2
        assert metrics["kafka_topic_partition_under_replicated_partition", ("price_updates", str(number))] == 0
    assert list(_named(metrics, "kafka_exporter_build_info").values()) == [1]


def test_the_lag_of_a_group_is_what_it_has_not_committed(kafka: Kafka) -> None:
    _commit(kafka, "whole", {0: 10, 1: 1, 2: 0})
    with _exporter(f"--kafka.server={kafka.bootstrap}") as (port, _):
        metrics = _answer(port, "kafka_consumergroup_lag", "whole", "price_updates", "2")

    lags = {number: metrics["kafka_consumergroup_lag", ("whole", "price_updates", number)] for number in "012"}
    assert lags == {"0": 0, "1": 4, "2": 7}
    assert metrics["kafka_consumergroup_lag_sum", ("whole", "price_updates")] == 11
    assert metrics["kafka_consumergroup_current_offset", ("whole", "price_updates", "1")] == 1
    assert metrics["kafka_consumergroup_members", ("whole",)] == 0


def test_a_partition_without_a_commit_has_lag_minus_one_and_is_left_out_of_the_sum(kafka: Kafka) -> None:
    _commit(kafka, "partial", {0: 4})
    with _exporter(f"--kafka.server={kafka.bootstrap}") as (port, _):
        metrics = _answer(port, "kafka_consumergroup_lag", "partial", "price_updates", "2")

    lags = {number: metrics["kafka_consumergroup_lag", ("partial", "price_updates", number)] for number in "012"}
    assert lags == {"0": 6, "1": -1, "2": -1}
    assert metrics["kafka_consumergroup_current_offset", ("partial", "price_updates", "1")] == -1
    assert metrics["kafka_consumergroup_lag_sum", ("partial", "price_updates")] == 6
    # It has committed nothing of the other topics, and so has no lag there.
    assert ("partial", "audit") not in _named(metrics, "kafka_consumergroup_lag_sum")


def test_a_group_that_reads_and_never_commits_is_seen_by_its_members_only(kafka: Kafka) -> None:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "silent", "enable.auto.commit": False})
    try:
        consumer.subscribe(["price_updates"])
        wait_until(lambda: consumer.poll(0.1) is not None or len(consumer.assignment()) == 3, "the group is joined")
        with _exporter(f"--kafka.server={kafka.bootstrap}") as (port, _):
            metrics = _answer(port, "kafka_consumergroup_members", "silent")
    finally:
        consumer.close()

    assert metrics["kafka_consumergroup_members", ("silent",)] == 1
    assert ("silent", "price_updates") not in _named(metrics, "kafka_consumergroup_lag_sum")


def test_filters_keep_topics_and_groups_by_unanchored_expressions(kafka: Kafka) -> None:
    flags = (f"--kafka.server={kafka.bootstrap}", "--topic.filter=ice_up", "--group.filter", "^whole$")
    with _exporter(*flags) as (port, _):
        metrics = _answer(port, "kafka_consumergroup_members", "whole")

    assert set(_named(metrics, "kafka_topic_partitions")) == {("price_updates",)}
    assert set(_named(metrics, "kafka_consumergroup_members")) == {("whole",)}


def test_a_flag_that_the_stand_in_does_not_know_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "local.kafka_exporter", "--sasl.enabled"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert done.returncode == 2
    assert "--sasl.enabled" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_any_broker_it_lives_and_says_that_there_are_none() -> None:
    with _exporter(f"--kafka.server=127.0.0.1:{free_port()}") as (port, process):
        metrics = _scrape(port)
        assert _get(port, "/healthz") == "ok"
        process.send_signal(signal.SIGTERM)
        code = process.wait(10)

    assert _named(metrics, "kafka_brokers") == {(): 0}
    assert {name for name, _ in metrics} == {"kafka_brokers", "kafka_exporter_build_info"}
    assert code == 0


def test_a_broker_that_is_gone_is_missing_and_its_replicas_are_out_of_sync(kafka: Kafka) -> None:
    """The last one of this file: it leaves one broker."""
    with _exporter(f"--kafka.server={kafka.bootstrap}") as (port, _):
        wait_until(lambda: _scrape(port)["kafka_brokers", ()] == 2, "both brokers are there")
        kafka.kill(1)
        wait_until(lambda: _scrape(port)["kafka_brokers", ()] == 1, "one broker is missing", 60)
        wait_until(lambda: _short(_scrape(port)) == {"0", "1", "2"}, "every partition lacks a replica", 60)


def _short(metrics: Metrics) -> set[str]:
    found = _named(metrics, "kafka_topic_partition_under_replicated_partition")
    return {number for (topic, number), value in found.items() if topic == "price_updates" and value == 1}
