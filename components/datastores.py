"""The datastores of a stack: declared, or somebody else's, of which only the address is used."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.context import Context
from components.database import DatabaseSetup
from components.kafka import Kafka
from components.pgbouncer import PgBouncer
from components.postgres import Postgres
from components.redis import Redis


def declare(
    context: Context, ops_config: pulumi.Resource, cluster: pulumi.ResourceOptions
) -> Sequence[pulumi.Resource]:
    """Registers the datastores; returns what the services wait for. ``ops_config`` has the settings of `ops`."""
    settings = context.settings
    waited: list[pulumi.Resource] = []
    postgres = [] if settings.postgres.external else [Postgres("postgres", context, cluster).stateful_set]
    if settings.postgres.set_up:
        waited.append(DatabaseSetup("database-setup", context, [*postgres, ops_config], cluster).job)
    # PgBouncer is ours in any case: the services' pools do not fit into anybody's PostgreSQL.
    waited.append(PgBouncer("pgbouncer", context, [*postgres, *waited], cluster).deployment)
    if settings.redis.external is None:
        waited.append(Redis("redis", context, cluster).stateful_set)
    if settings.kafka.external is None:
        waited.append(Kafka("kafka", context, cluster).stateful_set)
    return waited
