"""The topic of price updates: made when missing, written and read."""

import json
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from .config import Config, KafkaConfig
from .errors import DependencyError

_SECONDS: Final = 5.0


def _common(config: Config) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": config.kafka.servers,
        "client.id": config.service,
        "security.protocol": config.kafka.protocol.lower(),
        **({"ssl.ca.location": str(config.kafka.ca_file)} if config.kafka.ca_file else {}),
        **_login(config.kafka),
        # Quiet clients: less waking up while nothing happens.
        "reconnect.backoff.max.ms": 5000,
        "log_level": 2,
        "statistics.interval.ms": 0,
        "topic.metadata.refresh.interval.ms": 300_000,
        "enable.metrics.push": False,
    }


def _login(config: KafkaConfig) -> dict[str, str]:
    if config.password_file is None:
        return {}
    return {
        "sasl.mechanism": config.mechanism,
        "sasl.username": config.user,
        "sasl.password": config.password_file.read_text().rstrip("\r\n"),
    }


def ensure_topic(config: Config) -> None:
    """Create the topic unless it exists.

    Raises:
        DependencyError: Kafka does not answer.
    """
    # Any: the futures carry no type.
    admin: Any = AdminClient(_common(config))
    new = NewTopic(config.kafka_topic, config.kafka_partitions, config.kafka_replication)
    (future,) = admin.create_topics([new], operation_timeout=_SECONDS, request_timeout=_SECONDS).values()
    try:
        future.result(timeout=2 * _SECONDS)
    except KafkaException as error:
        cause = error.args[0]
        if not isinstance(cause, KafkaError) or cause.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise DependencyError("kafka", str(cause)) from error
    except TimeoutError as error:
        raise DependencyError("kafka", "no answer") from error


class PriceProducer:
    """Writes prices, keyed by coin so that each coin's updates stay in order."""

    def __init__(self, config: Config) -> None:
        self._topic = config.kafka_topic
        self._producer = Producer({**_common(config), "linger.ms": 20, "message.timeout.ms": 10_000, "acks": "all"})

    def send(self, prices: Mapping[str, float], times: int = 1) -> None:
        """Write each price `times` and wait until the brokers have them.

        Raises:
            DependencyError: some were not confirmed.
        """
        failed: list[str] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error.str())

        for _ in range(times):
            for coin, price in prices.items():
                body = json.dumps({"coin_id": coin, "price": price})
                self._producer.produce(self._topic, key=coin, value=body, on_delivery=delivered)
            self._producer.poll(0)
        left = self._producer.flush(4 * _SECONDS)
        if failed or left:
            raise DependencyError("kafka", failed[0] if failed else f"{left} messages not confirmed")

    def check(self) -> None:
        """One round trip.

        Raises:
            DependencyError: no broker answers.
        """
        try:
            self._producer.list_topics(self._topic, timeout=_SECONDS)
        except KafkaException as error:
            raise DependencyError("kafka", str(error.args[0])) from error


class PriceConsumer:
    """Reads prices as a member of the group; offsets are committed only after the work is done."""

    def __init__(self, config: Config) -> None:
        self._topic = config.kafka_topic
        settings = {
            **_common(config),
            "group.id": config.kafka_group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 2000,
            "fetch.min.bytes": 4096,
        }
        self._consumer = Consumer(settings)
        self._subscribed = False
        # A handle of its own: asking the consumer from another thread stalls the one that reads.
        self._admin = AdminClient(_common(config))
        self._paused = False

    def read(self, most: int, seconds: float) -> list[tuple[str, float]]:
        """Up to `most` prices that arrive within `seconds`; messages that are no price are skipped.

        Raises:
            DependencyError: a broker's error, or the topic does not exist yet.
        """
        if not self._subscribed:
            # A subscription to a topic that does not exist may wait for the next refresh of metadata, minutes later.
            self.check()
            self._consumer.subscribe([self._topic])
            self._subscribed = True
        found: list[tuple[str, float]] = []
        for message in self._consumer.consume(most, seconds):
            error = message.error()
            if error is not None:
                raise DependencyError("kafka", error.str())
            price = _price_of(message.value())
            if price is not None:
                found.append(price)
        return found

    def commit(self) -> None:
        """Commit what was read."""
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            # Nothing read since the last commit is no failure.
            if error.args[0].name() != "_NO_OFFSET":
                raise DependencyError("kafka", str(error.args[0])) from error

    def pause(self, paused: bool) -> None:
        """The fault `lag`: stay a member of the group and read nothing."""
        if paused:
            # Each time anew: partitions that a rebalance brought are not paused yet.
            self._consumer.pause(self._consumer.assignment())
        elif self._paused:
            self._consumer.resume(self._consumer.assignment())
        self._paused = paused

    def rewind(self) -> None:
        """Go back to the committed offsets, so that a failed batch is read again."""
        for partition in self._consumer.committed(self._consumer.assignment(), timeout=_SECONDS):
            if partition.offset >= 0:
                self._consumer.seek(TopicPartition(partition.topic, partition.partition, partition.offset))

    def check(self) -> None:
        """One round trip.

        Raises:
            DependencyError: no broker answers, or the topic does not exist yet.
        """
        try:
            # Of all topics: asking for this one by name would let a broker create it with one partition.
            topics = self._admin.list_topics(timeout=_SECONDS).topics
        except KafkaException as error:
            raise DependencyError("kafka", str(error.args[0])) from error
        if self._topic not in topics:
            raise DependencyError("kafka", f"topic {self._topic} does not exist yet")

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


def _price_of(value: str | bytes | None) -> tuple[str, float] | None:
    try:
        body = json.loads(value or b"")
        return str(body["coin_id"]), float(body["price"])
    except (ValueError, KeyError, TypeError):
        return None
