"""PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from runbook import practices, thresholds
from runbook.ops_settings import OpsSettings, RedisTarget
from runbook.units import size
from scripts.clients import postgres, redis_server
from scripts.health.model import Check, Finding, Status, ratio

# What a session does is hidden from a role without pg_monitor, its kind included; whose it is and where is not.
_SESSIONS: Final = """
SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid
IS NOT NULL
"""


def checks(settings: OpsSettings) -> list[Check]:
    """Both datastores."""
    return [Check("postgres", partial(_postgres, settings)), Check("redis", partial(_redis, settings.redis))]


def _postgres(settings: OpsSettings, timeout: float) -> Sequence[Finding]:
    access = postgres.Access.of(settings.postgres, settings.postgres.backup)
    database = settings.postgres.database
    with postgres.connect(access, database, application="ops health", seconds=timeout) as connection:
        row = connection.execute(_SESSIONS).fetchone()
    if row is None:
        return []
    status, value, limit = ratio(row[0], row[1], practices.CONNECTION_RATIO.value)
    return [
        Finding("postgres", Status.OK, connection_value(access.address)),
        Finding("postgres connections", status, value, limit, f"{row[0]} of {row[1]}"),
    ]


def connection_value(address: str) -> str:
    """How an answering server is shown."""
    return f"answers at {address}"


def _redis(target: RedisTarget, timeout: float) -> Sequence[Finding]:
    with redis_server.connect(target, seconds=timeout) as client:
        memory = redis_server.info(client, "memory")
    used, most = int(memory["used_memory"]), int(memory["maxmemory"])
    answers = Finding("redis", Status.OK, connection_value(redis_server.address(target)))
    if most == 0:
        detail = f"{size(used)} in use and no maxmemory set: the container's limit ends it without warning"
        return [answers, Finding("redis memory", Status.WARN, size(used), "maxmemory > 0", detail)]
    status, value, limit = ratio(used, most, thresholds.REDIS_MEMORY_RATIO.value)
    return [answers, Finding("redis memory", status, value, limit, f"{size(used)} of {size(most)}")]
