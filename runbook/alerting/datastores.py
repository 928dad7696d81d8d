"""Alerts on PostgreSQL, Redis and Kafka (sections 3.2 to 3.4)."""

from __future__ import annotations

from typing import Final

from runbook import practices, services, thresholds
from runbook.alerting import recordings
from runbook.alerting.model import NAMESPACE, Alert, Comparison, Limit, State, Team, kubectl
from runbook.sections import Section
from runbook.severities import P1, P2, P3

_HERE: Final = f'namespace="{NAMESPACE}"'
_GROUP: Final = f'{_HERE}, consumergroup="{services.ANALYTICS_GROUP}"'

# Twice what there is: each consumer of today can then get a second one beside it.
_MORE_PARTITIONS: Final = f"ops kafka partitions {services.PRICE_TOPIC} {2 * thresholds.KAFKA_PARTITIONS.count}"

DATABASE_DOWN: Final = Alert(
    "DatabaseDown",
    # The exporter answers while PostgreSQL does not: that its target is up says nothing.
    State(f"pg_up{{{_HERE}}} == 0"),
    2 * 60,
    P1,
    Team.PLATFORM,
    Section.CONNECTION_POOL,
    "PostgreSQL does not answer",
    "The exporter cannot connect to PostgreSQL: every service that needs the database fails.",
    diagnosis=("ops health", kubectl("describe pod postgres-0"), kubectl("logs postgres-0 --tail=100")),
)
REPLICA_LAG: Final = Alert(
    "DatabaseReplicaLags",
    # Not the exporter's lag: that is 0 where all that was received is replayed, so on a replica which is cut off, too.
    # The services write prices every few seconds, so that a replica without anything to replay has lost its primary.
    Limit(
        f"max by (instance) (pg_replication_last_replay_seconds{{{_HERE}}})",
        Comparison.ABOVE,
        practices.REPLICA_LAG,
        # A primary exports the metric as well.
        but=f"and on (instance) pg_replication_is_replica{{{_HERE}}} == 1",
    ),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.DATABASE_RECOVERY,
    "A replica of PostgreSQL has replayed nothing for {{ $value | humanizeDuration }}",
    "The last change that {{ $labels.instance }} has replayed is {{ $value | humanizeDuration }} old; the limit is "
    "<limit>. It is behind or cut off: what it answers is old, and what it lacks is lost when it takes over.",
    # A long query on the replica holds up what would change under it.
    diagnosis=("ops health", "ops db slow"),
)
CONNECTIONS: Final = Alert(
    "DatabaseConnectionPoolExhausted",
    Limit(
        f"{recordings.CONNECTIONS.name}{{{_HERE}}}",
        Comparison.ABOVE,
        practices.CONNECTION_RATIO,
    ),
    5 * 60,
    P2,
    Team.PLATFORM,
    Section.CONNECTION_POOL,
    "PostgreSQL runs out of connections",
    "{{ $value | humanizePercentage }} of PostgreSQL's connections are in use; the limit is <limit>. At 100% services "
    'get "too many connections".',
    diagnosis=("ops db connections", "ops diagnose"),
    remedies=("ops db reap-idle",),
)
REDIS_DOWN: Final = Alert(
    "RedisDown",
    State(f"redis_up{{{_HERE}}} == 0"),
    2 * 60,
    P2,
    Team.PLATFORM,
    Section.REDIS_MEMORY,
    "Redis does not answer",
    "The exporter cannot connect to Redis: the services work without their cache, slowly, or not at all.",
    diagnosis=("ops health", kubectl("describe pod redis-0"), kubectl("logs redis-0 --tail=100")),
)
REDIS_MEMORY: Final = Alert(
    "RedisMemoryHigh",
    # Without a maxmemory the exporter says 0, and a ratio to it would be infinite or nothing.
    Limit(
        f"redis_memory_used_bytes{{{_HERE}}} / (redis_memory_max_bytes{{{_HERE}}} > 0)",
        Comparison.ABOVE,
        thresholds.REDIS_MEMORY_RATIO,
    ),
    10 * 60,
    P3,
    Team.PLATFORM,
    Section.REDIS_MEMORY,
    "Redis uses {{ $value | humanizePercentage }} of its memory",
    "Redis uses {{ $value | humanizePercentage }} of maxmemory; the limit is <limit>. At 100% it evicts what was used "
    "least lately.",
    diagnosis=("ops redis bigkeys", "ops diagnose"),
    remedies=("ops redis purge 'price:*:old'",),
)
CONSUMER_LAG: Final = Alert(
    "KafkaConsumerLagHigh",
    Limit(
        f'kafka_consumergroup_lag_sum{{{_GROUP}, topic="{services.PRICE_TOPIC}"}}',
        Comparison.ABOVE,
        thresholds.KAFKA_LAG,
    ),
    10 * 60,
    P3,
    Team.SERVICES,
    Section.KAFKA_LAG,
    "{{ $labels.consumergroup }} is {{ $value | humanize }} messages behind",
    "The group {{ $labels.consumergroup }} is {{ $value | humanize }} messages behind on {{ $labels.topic }}; the "
    "limit is <limit>. Analytics and sentiment are late. More partitions help only where every consumer works at its "
    "limit; Kafka never takes them away again.",
    diagnosis=("ops kafka lag", kubectl("logs deployment/analytics --tail=100")),
    remedies=("ops scale peak", _MORE_PARTITIONS),
)
CONSUMERS_MISSING: Final = Alert(
    "KafkaConsumersMissing",
    # A group that never committed has no lag, and one that is gone has no series.
    State(f"(sum(kafka_consumergroup_members{{{_GROUP}}}) or vector(0)) == 0"),
    5 * 60,
    P2,
    Team.SERVICES,
    Section.KAFKA_LAG,
    "Nobody consumes the price updates",
    f"The group {services.ANALYTICS_GROUP} has no member: prices are not analysed, and their lag may not show.",
    diagnosis=("ops kafka lag", kubectl("get pods -l app=analytics"), kubectl("logs deployment/analytics --tail=100")),
    remedies=("ops restart analytics",),
)
UNDER_REPLICATED: Final = Alert(
    "UnderReplicatedPartitions",
    State(f"sum by (topic) (kafka_topic_partition_under_replicated_partition{{{_HERE}}}) > 0"),
    5 * 60,
    P2,
    Team.PLATFORM,
    Section.KAFKA_LAG,
    "Partitions of {{ $labels.topic }} lack a replica",
    "{{ $value }} partitions of {{ $labels.topic }} have fewer replicas in step than they should: with the next broker "
    "that fails, messages are lost.",
    diagnosis=("ops health", kubectl("get pods -l app=kafka"), "ops diagnose"),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
