"""``ops kafka`` against a real broker. The tests of this file share it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.running import slots
from tests.services import ops_environment, servers
from tests.services.ops_environment import Environment
from tests.services.servers import Kafka

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java is installed"),
]


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with servers.kafka() as cluster:
        admin: Any = AdminClient({"bootstrap.servers": cluster.bootstrap})
        topics = [NewTopic("price_updates", 3, 1), NewTopic("audit", 2, 1)]
        for future in admin.create_topics(topics).values():
            future.result(30)
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
        for number, messages in enumerate((10, 5, 7)):
            for _ in range(messages):
                producer.produce("price_updates", b"x", partition=number)
        assert producer.flush(30) == 0
        yield cluster


@pytest.fixture
def environment(kafka: Kafka, tmp_path: Path) -> Environment:
    return ops_environment.without_servers(tmp_path, kafka=_target(kafka.bootstrap))


def _target(bootstrap: str) -> dict[str, object]:
    return {"bootstrap": bootstrap, "brokers": 1, "topic": "price_updates", "group": "analytics-service"}


def _commit(kafka: Kafka, group: str, offsets: Mapping[int, int]) -> None:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})
    try:
        wanted = [TopicPartition("price_updates", number, offset) for number, offset in offsets.items()]
        consumer.commit(offsets=wanted, asynchronous=False)
    finally:
        consumer.close()


def test_a_group_that_never_committed_is_behind_by_everything_that_is_kept(environment: Environment) -> None:
    answer = environment.ops("kafka", "lag", "--json")
    people = environment.ops("kafka", "lag")

    assert answer.code == 0, answer.stderr
    assert answer.json["lag"] == 22
    assert answer.json["never_committed"] == [0, 1, 2]
    assert [part["committed"] for part in answer.json["partitions"]] == [None, None, None]
    assert "nothing committed" in people.stdout


def test_the_lag_is_what_the_group_has_not_committed_in_each_partition(environment: Environment, kafka: Kafka) -> None:
    _commit(kafka, "partial", {0: 10, 1: 2})
    answer = environment.ops("kafka", "lag", "--group", "partial", "--json")

    assert {part["partition"]: part["lag"] for part in answer.json["partitions"]} == {0: 0, 1: 3, 2: 7}
    assert (answer.json["lag"], answer.json["limit"], answer.json["over_limit"]) == (10, 10_000, False)
    assert answer.json["never_committed"] == [2]
    assert answer.json["members"] == 0


def test_offsets_ahead_of_the_end_are_marked_and_what_is_kept_counts_as_not_read(
    environment: Environment, kafka: Kafka
) -> None:
    _commit(kafka, "analytics-service", {0: 10, 1: 999, 2: 7})
    answer = environment.ops("kafka", "lag", "--json")
    people = environment.ops("kafka", "lag")
    health = environment.ops("health", "--json", "--timeout", "5")
    admin: Any = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_consumer_groups(["analytics-service"]).values():
        future.result(30)

    assert (answer.json["ahead"], answer.json["lag"]) == ([1], 5)
    assert "! 999" in people.stdout
    assert "!: committed ahead of the end" in people.stdout
    (found,) = (check for check in health.json["checks"] if check["name"] == "kafka lag")
    assert (found["status"], found["value"]) == ("warn", "5")
    assert "committed ahead of the end in partition 1" in found["detail"]


def test_messages_that_are_no_longer_kept_do_not_count_as_lag(environment: Environment, kafka: Kafka) -> None:
    admin: Any = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records([TopicPartition("price_updates", 0, 4)]).values():
        future.result(30)

    answer = environment.ops("kafka", "lag", "--json")

    assert {part["partition"]: part["lag"] for part in answer.json["partitions"]} == {0: 6, 1: 5, 2: 7}


def test_an_unknown_group_or_topic_is_refused_with_those_that_exist(environment: Environment, kafka: Kafka) -> None:
    _commit(kafka, "known", {0: 1})
    group = environment.ops("kafka", "lag", "--group", "nobody", "--json")
    topic = environment.ops("kafka", "lag", "--topic", "nothing", "--json")

    assert (group.code, topic.code) == (2, 2)
    assert "known" in group.error
    assert "audit, price_updates" in topic.error


def test_topics_are_shown_with_partitions_replicas_and_messages(environment: Environment, kafka: Kafka) -> None:
    _commit(kafka, "known", {0: 1})
    answer = environment.ops("kafka", "topics", "--json")
    internal = environment.ops("kafka", "topics", "--internal", "--json")
    people = environment.ops("kafka", "topics")

    topics = {topic["name"]: topic for topic in answer.json["topics"]}
    assert set(topics) == {"audit", "price_updates"}
    assert (topics["price_updates"]["partitions"], topics["price_updates"]["replicas"]) == (3, 1)
    assert topics["price_updates"]["messages"] in (18, 22)
    assert topics["price_updates"]["under_replicated"] == topics["price_updates"]["without_leader"] == []
    assert (answer.json["brokers"], answer.json["brokers_expected"]) == (1, 1)
    assert "__consumer_offsets" in {topic["name"] for topic in internal.json["topics"]}
    assert "price_updates" in people.stdout


def _partitions(kafka: Kafka, topic: str) -> int:
    admin: Any = AdminClient({"bootstrap.servers": kafka.bootstrap})
    return len(admin.list_topics(timeout=10).topics[topic].partitions)


def test_partitions_are_raised_once_asked_for_and_it_is_said_that_keys_move_for_good(
    environment: Environment, kafka: Kafka
) -> None:
    planned = environment.ops("kafka", "partitions", "audit", "4", "--dry-run", "--json")
    unasked = environment.ops("kafka", "partitions", "audit", "4")
    unchanged = _partitions(kafka, "audit")
    first = environment.ops("kafka", "partitions", "audit", "4", "--yes", "--json")
    second = environment.ops("kafka", "partitions", "audit", "4", "--json")

    assert (planned.code, planned.json["changed"], planned.json["before"], unchanged) == (0, False, 2, 2)
    assert unasked.code == 2
    assert "raises audit from 2 to 4 partitions, and it cannot be undone; messages of a key go to" in unasked.error
    assert "confirm it with --yes" in unasked.error
    assert "it cannot be undone" in planned.json["note"]
    assert (first.code, first.json["changed"]) == (0, True)
    assert "messages of a key go to another partition" in first.json["note"]
    assert (second.code, second.json["changed"]) == (0, False)
    assert "note" not in second.json
    assert _partitions(kafka, "audit") == 4


def test_fewer_partitions_are_refused(environment: Environment, kafka: Kafka) -> None:
    answer = environment.ops("kafka", "partitions", "price_updates", "2", "--json")

    assert answer.code == 2
    assert "has 3 partitions and Kafka cannot take any away" in answer.error
    assert _partitions(kafka, "price_updates") == 3


def test_partitions_of_an_unknown_topic_are_refused_and_it_is_not_created(
    environment: Environment, kafka: Kafka
) -> None:
    answer = environment.ops("kafka", "partitions", "nothing", "3", "--json")

    assert answer.code == 2
    assert "topic nothing does not exist" in answer.error
    admin: Any = AdminClient({"bootstrap.servers": kafka.bootstrap})
    assert "nothing" not in admin.list_topics(timeout=10).topics


def test_brokers_that_are_gone_are_temporary_and_told_in_one_line(tmp_path: Path) -> None:
    gone = ops_environment.without_servers(tmp_path, kafka=_target(f"127.0.0.1:{slots.free_port()}"))

    for arguments in (("lag",), ("topics",), ("partitions", "price_updates", "24")):
        answer = gone.ops("kafka", *arguments, "--json")
        assert answer.code == 75
        assert "refused" in answer.error
        assert "Traceback" not in answer.stderr
