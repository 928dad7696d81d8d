"""Limits that the runbook's sections imply without stating a number, chosen here once, each with its reason."""

from __future__ import annotations

from typing import Final

from runbook.sections import Section
from runbook.thresholds import Threshold, Unit

_HOUR: Final = 3600

BACKUP_AGE: Final = Threshold(
    "backup-age",
    26 * _HOUR,
    Unit.SECONDS,
    Section.DATABASE_BACKUP,
    "age of the newest backup: one day and two hours for the run",
)
PROOF_AGE: Final = Threshold(
    "proof-age",
    50 * _HOUR,
    Unit.SECONDS,
    Section.DATABASE_RECOVERY,
    "age of the newest backup that was restored and compared: one missed proof is an accident, two are not",
)
CONNECTION_RATIO: Final = Threshold(
    "connection-ratio", 0.8, Unit.RATIO, Section.CONNECTION_POOL, "connections of PostgreSQL in use, of max_connections"
)
DEAD_ROW_RATIO: Final = Threshold(
    "dead-row-ratio",
    0.1,
    Unit.RATIO,
    Section.INDEX_MAINTENANCE,
    "rows of a table that are dead or changed since its statistics, of all, before it is vacuumed",
)
VACUUM_AGE: Final = Threshold(
    "vacuum-age",
    7,
    Unit.DAYS,
    Section.INDEX_MAINTENANCE,
    "age at which a table that was written to is vacuumed, however little",
)
REDIS_MAXMEMORY_RATIO: Final = Threshold(
    "redis-maxmemory-ratio",
    0.75,
    Unit.RATIO,
    Section.REDIS_MEMORY,
    "greatest maxmemory, of the container's memory: a snapshot's fork needs the rest",
)
CERTIFICATE_RENEWAL: Final = Threshold(
    "certificate-renewal", 30, Unit.DAYS, Section.TLS, "time before its end at which a certificate is renewed"
)
CERTIFICATE_WARNING: Final = Threshold(
    "certificate-warning",
    21,
    Unit.DAYS,
    Section.TLS,
    "time left at which a certificate that was not renewed is somebody's business",
)
JWT_OVERLAP: Final = Threshold(
    "jwt-overlap",
    24 * _HOUR,
    Unit.SECONDS,
    Section.SECRET_ROTATION,
    "time for which the previous JWT secret still verifies, longer than any token lives",
)
MAINTENANCE_WINDOW: Final = Threshold(
    "maintenance-window",
    3600,
    Unit.SECONDS,
    Section.MAINTENANCE_WINDOWS,
    "length of a maintenance window: so long only a P1 alert notifies anybody",
)
JWT_AGE: Final = Threshold("jwt-age", 90, Unit.DAYS, Section.SECRET_ROTATION, "age at which the JWT secret is replaced")
ACCESS_LOG_RETENTION: Final = Threshold(
    "access-log-retention", 90, Unit.DAYS, Section.DATABASE_BACKUP, "age up to which the bucket's access logs are kept"
)
POD_RESTARTS: Final = Threshold(
    "pod-restarts",
    5,
    Unit.COUNT,
    Section.MAINTENANCE_WINDOWS,
    "restarts of one container that put it on the agenda: a rollout or a node's end makes one",
)
PRICE_AGE: Final = Threshold(
    "price-age",
    5 * 60,
    Unit.SECONDS,
    Section.DASHBOARD_CHECK,
    "time since the last price update: what is older is no longer a price",
)
SENTIMENT_AGE: Final = Threshold(
    "sentiment-age",
    15 * 60,
    Unit.SECONDS,
    Section.DASHBOARD_CHECK,
    "time since a text was last scored: news may be few, but not for that long",
)
LOG_PATTERN_MEMORY: Final = Threshold(
    "log-pattern-memory",
    7,
    Unit.DAYS,
    Section.LOG_REVIEW,
    "time after which an error that was not seen again counts as new",
)

ALL: Final[tuple[Threshold, ...]] = tuple(value for value in globals().values() if isinstance(value, Threshold))
