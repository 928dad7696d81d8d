"""Kafka's errors: which pass by themselves, and what they are to whoever called."""

from __future__ import annotations

from typing import Any

from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError


def passing(error: Any) -> bool:
    """Whether a broker says that it, or another one, is about to know."""
    from confluent_kafka import KafkaError

    codes = (
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    )
    return isinstance(error.args[0], KafkaError) and error.args[0].code() in codes


def translated(error: Any, what: str) -> OpsError:
    """The error in the terms of this program; its line begins with ``what``."""
    from confluent_kafka import KafkaError

    cause = error.args[0]
    if not isinstance(cause, KafkaError):
        return CheckFailedError(f"{what}: {error}")
    text = f"{what}: {cause.str()}"
    denied = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
    if cause.code() in (*denied, KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError._AUTHENTICATION):  # noqa: SLF001 - librdkafka's own codes begin so
        return UsageError(text)
    # Negative codes are the client's: broken connections and timeouts.
    passes = passing(error) or cause.retriable() or cause.code() < 0
    return TemporaryError(text) if passes else CheckFailedError(text)
