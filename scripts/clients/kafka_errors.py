"""Kafka's errors: which pass by themselves, and what they are to whoever called."""

from __future__ import annotations

from typing import Any, Final

from scripts import lazy
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError

# Of the client's own errors those that it has with its settings.
_WRONG: Final = ("_AUTHENTICATION", "_SSL", "_INVALID_ARG", "_NOT_IMPLEMENTED", "_UNSUPPORTED_FEATURE")


def passing(error: Any) -> bool:
    """Whether a broker says that it, or another one, is about to know."""
    kind = lazy.confluent_kafka.KafkaError
    codes = (
        kind.COORDINATOR_LOAD_IN_PROGRESS,
        kind.COORDINATOR_NOT_AVAILABLE,
        kind.NOT_COORDINATOR,
        kind.LEADER_NOT_AVAILABLE,
        kind.NOT_LEADER_FOR_PARTITION,
    )
    return isinstance(error.args[0], kind) and error.args[0].code() in codes


def translated(error: Any, what: str) -> OpsError:
    """The error in the terms of this program; its line begins with ``what``."""
    cause, kind = error.args[0], lazy.confluent_kafka.KafkaError
    if not isinstance(cause, kind):
        return CheckFailedError(f"{what}: {error}")
    text = f"{what}: {cause.str()}"
    denied = (kind.TOPIC_AUTHORIZATION_FAILED, kind.GROUP_AUTHORIZATION_FAILED, kind.CLUSTER_AUTHORIZATION_FAILED)
    if cause.code() in denied or cause.name() in _WRONG:
        return UsageError(text)
    # Negative codes are the client's: broken connections and timeouts.
    passes = passing(error) or cause.retriable() or cause.code() < 0
    return TemporaryError(text) if passes else CheckFailedError(text)
