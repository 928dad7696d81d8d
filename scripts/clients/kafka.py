"""Kafka: metadata, offsets and partitions, typed, with errors in the terms of this program."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Final

from runbook.ops_settings import KafkaTarget
from scripts import config, lazy
from scripts.clients import addresses, background, kafka_errors, tls
from scripts.exits import TemporaryError, UsageError

_SECONDS: Final = 15.0
_PAUSE_SECONDS: Final = 0.2

_Offsets = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition; ``leader`` is None where no broker leads it."""

    number: int
    leader: int | None
    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic with its partitions in order."""

    name: str
    partitions: tuple[Partition, ...]

    @property
    def internal(self) -> bool:
        """Whether Kafka keeps it for itself."""
        return self.name.startswith("__")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the cluster lists: a broker that is down is simply missing."""

    brokers: tuple[int, ...]
    topics: Mapping[str, Topic]


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far a group is in a partition: offsets of the oldest kept message and of the next one to come.

    ``committed`` is None where the group has committed nothing.
    """

    topic: str
    number: int
    start: int
    end: int
    committed: int | None

    @property
    def ahead(self) -> bool:
        """Whether the group has committed what is yet to come: the topic was made anew, or has lost messages."""
        return self.committed is not None and self.committed > self.end

    @property
    def lag(self) -> int:
        """Messages that the group has not read: without a commit, or with one ahead, it counts from the oldest one."""
        return self.end - (self.start if self.committed is None or self.ahead else self.committed)


class Kafka:
    """A cluster. Every method raises ``OpsError``; each request may take ``seconds``."""

    def __init__(self, target: KafkaTarget, *, seconds: float = _SECONDS) -> None:
        """Connect to one of the bootstrap addresses.

        Raises:
            TemporaryError: none of them accepts a connection.
            UsageError: the password's file or ``caFile`` is unusable.
        """
        self.bootstrap = target.bootstrap
        self._seconds = seconds
        # librdkafka would try until the deadline.
        if refusal := _refusal(target.bootstrap, seconds / 4):
            raise TemporaryError(f"Kafka: {refusal}")
        self._refused: list[str] = []
        # It retries for ever and logs to stderr: the deadline decides.
        self._given: dict[str, Any] = {
            "bootstrap.servers": target.bootstrap,
            "client.id": "ops",
            "security.protocol": target.protocol.lower(),
            **_trust(target),
            **_login(target),
            "socket.timeout.ms": max(int(seconds * 1000), 10),
            "log_level": 0,
        }
        if target.tls or target.login:
            self._given["error_cb"] = self._listen
        # Any: the futures of this client carry no types.
        self._admin: Any = lazy.confluent_kafka.admin.AdminClient(self._given, logger=_Silent())

    def _listen(self, error: Any) -> None:
        key = {"_SSL": "kafka.tls and kafka.caFile", "_AUTHENTICATION": "kafka.login"}.get(error.name())
        if key:
            self._refused.append(f"{error.str()}; check {key} in the settings")

    def metadata(self) -> Metadata:
        """Brokers and topics as the cluster lists them now."""
        found = self._ask("metadata", lambda: self._admin.list_topics(timeout=self._seconds * 0.8))
        topics = {name: _topic(name, topic) for name, topic in sorted(found.topics.items())}
        return Metadata(tuple(sorted(found.brokers)), topics)

    def groups(self) -> list[str]:
        """Names of all consumer groups."""
        listed = self._ask("groups", lambda: self._admin.list_consumer_groups().result(self._seconds))
        return sorted(group.group_id for group in listed.valid)

    def members(self, group: str) -> int:
        """Consumers that are in the group now; 0 for a group that is not there."""
        found = self._ask(
            f"group {group}", lambda: self._admin.describe_consumer_groups([group])[group].result(self._seconds)
        )
        return len(found.members)

    def lag(self, group: str, topics: Iterable[Topic]) -> list[PartitionLag]:
        """How far the group is in each partition that has a leader."""
        parts = [part for topic in topics for part in _led(topic)]
        if not parts:
            return []
        # Before the ends: a commit that is read after them could be ahead of them.
        committed = self._committed(group, parts)
        starts, ends = self._offsets(parts)
        return [
            PartitionLag(*key, starts[key], ends[key], offset if (offset := committed.get(key, -1)) >= 0 else None)
            for key in sorted(ends)
        ]

    def messages(self, topic: Topic) -> int:
        """Messages that the topic keeps, in partitions that have a leader."""
        parts = _led(topic)
        starts, ends = self._offsets(parts) if parts else ({}, {})
        return sum(end - starts[key] for key, end in ends.items())

    def raise_partitions(self, topic: str, count: int, *, dry_run: bool) -> None:
        """Give the topic ``count`` partitions; with ``dry_run`` the brokers only check whether they would.

        Raises:
            CheckFailedError: the brokers refuse it.
        """

        def ask() -> Any:
            new = [lazy.confluent_kafka.admin.NewPartitions(topic, count)]  # pyright: ignore[reportPrivateImportUsage] - admin is public
            futures = self._admin.create_partitions(new, validate_only=dry_run, operation_timeout=self._seconds)
            return futures[topic].result(self._seconds)

        self._ask(f"partitions of {topic}", ask)

    def _committed(self, group: str, parts: Sequence[Any]) -> _Offsets:
        """The offsets that a group has committed; it is not joined.

        By a consumer: asked by the admin client, librdkafka 2.16 can end the process with a segmentation fault. That
        was seen on a new broker, which is about to find the group's coordinator (its issue 5040 is like it).
        """
        given = {**self._given, "group.id": group, "enable.auto.commit": False}
        consumer: Any = lazy.confluent_kafka.Consumer(given, logger=_Silent())
        try:
            found = self._ask(f"offsets of {group}", lambda: consumer.committed(parts, timeout=self._seconds))
        finally:
            consumer.close()
        return {(part.topic, part.partition): part.offset for part in found}

    def _offsets(self, parts: Sequence[Any]) -> tuple[_Offsets, _Offsets]:
        """The offsets of the oldest messages and of those to come."""

        def ask() -> tuple[_Offsets, _Offsets]:
            spec_of = lazy.confluent_kafka.admin.OffsetSpec  # pyright: ignore[reportPrivateImportUsage] - admin is public
            specs = (spec_of.earliest(), spec_of.latest())
            # One after the other: with two at once librdkafka 2.16 sometimes ends the process (segmentation fault).
            starts, ends = (self._results(self._admin.list_offsets(dict.fromkeys(parts, spec))) for spec in specs)
            return starts, ends

        return self._ask("offsets", ask)

    def _results(self, futures: Mapping[Any, Any]) -> _Offsets:
        return {(part.topic, part.partition): future.result(self._seconds).offset for part, future in futures.items()}

    def _answer(self, asked: Future[Any]) -> Any:
        """The answer, or a refusal as soon as there is one: librdkafka tries again until the time is up."""
        while "error_cb" in self._given and not asked.done():
            wait([asked], _PAUSE_SECONDS)
            self._check_refused()
        return asked.result()

    def _check_refused(self) -> None:
        # To a caller librdkafka says of TLS or a login that fails no more than that no broker answers.
        self._admin.poll(0)
        if self._refused:
            raise UsageError(f"Kafka at {self.bootstrap}: {self._refused[-1]}")

    def _ask(self, what: str, ask: Callable[[], Any]) -> Any:
        """The answer; a broker that is only just taking over is asked again until the time is up."""
        end = time.monotonic() + self._seconds
        while True:
            try:
                # librdkafka waits where no signal and no deadline would be heard.
                return self._answer(background.start("kafka", ask))
            except lazy.confluent_kafka.KafkaException as error:
                if not kafka_errors.passing(error) or time.monotonic() > end:
                    self._check_refused()
                    raise kafka_errors.translated(error, f"Kafka at {self.bootstrap}: {what}") from None
            except TimeoutError:
                raise TemporaryError(f"Kafka at {self.bootstrap}: {what}: no answer in {self._seconds:g} s") from None
            time.sleep(_PAUSE_SECONDS)


def topic_named(metadata: Metadata, name: str) -> Topic:
    """The topic of that name.

    Raises:
        UsageError: there is none; the line names those that exist.
    """
    if name not in metadata.topics:
        known = ", ".join(topic.name for topic in metadata.topics.values() if not topic.internal) or "none"
        raise UsageError(f"topic {name} does not exist; there are: {known}")
    return metadata.topics[name]


def _led(topic: Topic) -> list[Any]:
    """The partitions that have a leader, as the client names them."""
    named = lazy.confluent_kafka.TopicPartition
    return [named(topic.name, part.number) for part in topic.partitions if part.leader is not None]


def _topic(name: str, topic: Any) -> Topic:
    return Topic(
        name,
        tuple(
            Partition(number, part.leader if part.leader >= 0 else None, len(part.replicas), len(part.isrs))
            for number, part in sorted(topic.partitions.items())
        ),
    )


def _trust(target: KafkaTarget) -> dict[str, Any]:
    """Whose certificates the client takes."""
    if not (target.tls and target.ca_file):
        return {}
    # A file that cannot be used would be told by librdkafka in words of its own.
    tls.context(target.ca_file, "kafka.caFile")
    return {"ssl.ca.location": target.ca_file}


def _login(target: KafkaTarget) -> dict[str, Any]:
    """Who logs in, and how."""
    if target.login is None:
        return {}
    return {
        "sasl.mechanism": target.mechanism,
        "sasl.username": target.login.user,
        "sasl.password": config.password(target.login),
    }


def _refusal(bootstrap: str, timeout: float) -> str | None:
    """Why none of the addresses accepts a connection, or None."""
    reasons: list[str] = []
    for address in bootstrap.split(","):
        try:
            socket.create_connection(addresses.split(address), timeout).close()
        except OSError as error:
            reasons.append(f"{address}: {error.strerror or error}")
        else:
            return None
    return "; ".join(reasons)


class _Silent:
    """A logger that drops everything: what a client retries in the background is no finding."""

    def log(self, *_: object, **__: object) -> None:
        """Nothing."""
