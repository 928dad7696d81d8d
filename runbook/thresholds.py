"""Every limit that the runbook states, once, with its unit and its section."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from runbook.sections import Section


class Unit(StrEnum):
    """What a threshold's number counts."""

    RATIO = "ratio"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    BYTES = "bytes"
    DAYS = "days"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Threshold:
    """One limit: ``value`` in ``unit``, as ``section`` of the runbook states it."""

    name: str
    value: float
    unit: Unit
    section: Section
    meaning: str

    @property
    def count(self) -> int:
        """The value as an integer, for counts, bytes and days."""
        return int(self.value)


API_ERROR_RATIO: Final = Threshold(
    "api-error-ratio",
    0.01,
    Unit.RATIO,
    Section.API_ERRORS,
    "API requests that fail, of all, before the gateway is in trouble",
)
SLO_ERROR_RATIO: Final = Threshold(
    "slo-error-ratio", 0.005, Unit.RATIO, Section.DASHBOARD_CHECK, "API requests that may fail, of all"
)
LATENCY_P95: Final = Threshold(
    "latency-p95", 0.2, Unit.SECONDS, Section.DASHBOARD_CHECK, "95th percentile of the API's response time"
)
NODE_CPU_RATIO: Final = Threshold("node-cpu-ratio", 0.8, Unit.RATIO, Section.DASHBOARD_CHECK, "CPU in use on a node")
NODE_MEMORY_RATIO: Final = Threshold(
    "node-memory-ratio", 0.8, Unit.RATIO, Section.DASHBOARD_CHECK, "memory in use on a node"
)
DISK_USAGE_RATIO: Final = Threshold(
    "disk-usage-ratio", 0.8, Unit.RATIO, Section.HEALTH_CHECK, "space in use on a data volume"
)
REDIS_MEMORY_RATIO: Final = Threshold(
    "redis-memory-ratio", 0.8, Unit.RATIO, Section.REDIS_MEMORY, "Redis memory in use, of maxmemory"
)
KAFKA_LAG: Final = Threshold(
    "kafka-consumer-lag", 10_000, Unit.COUNT, Section.KAFKA_LAG, "messages that a consumer group is behind"
)
SERVICE_MEMORY: Final = Threshold(
    "service-memory",
    1_000_000_000,
    Unit.BYTES,
    Section.MEMORY_LEAK,
    "working set of a service before it counts as a leak",
)
SENTIMENT_MEMORY_REQUEST: Final = Threshold(
    "sentiment-memory-request",
    4 * 2**30,
    Unit.BYTES,
    Section.SENTIMENT_MODEL,
    "memory that the NLP model needs to load",
)
SENTIMENT_MEMORY_LIMIT: Final = Threshold(
    "sentiment-memory-limit",
    8 * 2**30,
    Unit.BYTES,
    Section.SENTIMENT_MODEL,
    "memory that the sentiment service may use",
)
IDLE_CONNECTION_AGE: Final = Threshold(
    "idle-connection-age", 30 * 60, Unit.SECONDS, Section.CONNECTION_POOL, "age at which an idle connection is ended"
)
MAX_CONNECTIONS_LOW: Final = Threshold(
    "max-connections-low", 200, Unit.COUNT, Section.CONNECTION_POOL, "least max_connections of PostgreSQL"
)
MAX_CONNECTIONS_HIGH: Final = Threshold(
    "max-connections-high", 300, Unit.COUNT, Section.CONNECTION_POOL, "greatest max_connections of PostgreSQL"
)
POOL_SIZE: Final = Threshold(
    "pool-size", 30, Unit.COUNT, Section.CONNECTION_POOL, "connections that a service keeps open (DATABASE_POOL_SIZE)"
)
POOL_OVERFLOW: Final = Threshold(
    "pool-overflow", 50, Unit.COUNT, Section.CONNECTION_POOL, "connections beyond the pool (DATABASE_MAX_OVERFLOW)"
)
POOL_TIMEOUT: Final = Threshold(
    "pool-timeout", 10, Unit.SECONDS, Section.CONNECTION_POOL, "wait for a connection (DATABASE_POOL_TIMEOUT)"
)
POOL_RECYCLE: Final = Threshold(
    "pool-recycle",
    3600,
    Unit.SECONDS,
    Section.CONNECTION_POOL,
    "age at which a connection is renewed (DATABASE_POOL_RECYCLE)",
)
SLOW_QUERY: Final = Threshold(
    "slow-query", 500, Unit.MILLISECONDS, Section.QUERY_TUNING, "duration from which a statement is logged"
)
BACKUP_RETENTION: Final = Threshold(
    "backup-retention", 30, Unit.DAYS, Section.DATABASE_BACKUP, "age up to which backups are kept"
)
KAFKA_PARTITIONS: Final = Threshold(
    "kafka-partitions", 24, Unit.COUNT, Section.KAFKA_LAG, "partitions of the topic price_updates"
)
INCIDENT_UPDATE: Final = Threshold(
    "incident-update",
    15 * 60,
    Unit.SECONDS,
    Section.INCIDENT_PROCESS,
    "time between two updates of an open incident's ticket",
)
INCIDENT_RCA: Final = Threshold(
    "incident-rca", 24 * 3600, Unit.SECONDS, Section.INCIDENT_PROCESS, "time after an incident until its RCA is sent"
)

ALL: Final[tuple[Threshold, ...]] = tuple(value for value in globals().values() if isinstance(value, Threshold))


def by_name(name: str) -> Threshold:
    """The threshold of that name.

    Raises:
        KeyError: there is none.
    """
    return {threshold.name: threshold for threshold in ALL}[name]
