"""Limits that the runbook's sections imply without stating a number, chosen here once, each with its reason."""

from __future__ import annotations

from typing import Final

from runbook import thresholds
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
BACKUP_SHRINK: Final = Threshold(
    "backup-shrink",
    0.5,
    Unit.RATIO,
    Section.DATABASE_RECOVERY,
    "rows, keys or objects of a backup, of those that the one before it had, below which it has shrunk",
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
CERTIFICATE_LONGEST: Final = Threshold(
    "certificate-longest",
    398,
    Unit.DAYS,
    Section.TLS,
    "greatest duration of a server's certificate: browsers refuse what is valid for longer",
)
RSA_KEY_SIZE: Final = Threshold(
    "rsa-key-size", 2048, Unit.COUNT, Section.TLS, "least bits of an RSA key; an ECDSA key is short and quicker"
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
SCHEDULE_GAP: Final = Threshold(
    "schedule-gap",
    15 * 60,
    Unit.SECONDS,
    Section.MAINTENANCE_WINDOWS,
    "time between the starts of two jobs that load the datastores: the first is then under way, or has failed",
)
KEY_DELETION: Final = Threshold(
    "key-deletion",
    30,
    Unit.DAYS,
    Section.DATABASE_BACKUP,
    "time in which the deletion of the backups' key can be taken back: the most that AWS has",
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
REPLICA_LAG: Final = Threshold(
    "replica-lag",
    60,
    Unit.SECONDS,
    Section.DATABASE_RECOVERY,
    "age of the last change that a replica of PostgreSQL has replayed: so much is lost when it takes over",
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
WAIVER_LIFETIME: Final = Threshold(
    "waiver-lifetime",
    180,
    Unit.DAYS,
    Section.ACCESS_REVIEW,
    "furthest day to which a policy may be waived: two quarterly reviews of access have then seen it",
)

# An error budget, and the speeds at which its burning is somebody's business (Google's SRE Workbook).
SLO_PERIOD: Final = Threshold(
    "slo-period", 30, Unit.DAYS, Section.DASHBOARD_CHECK, "time over which an error budget is counted"
)
SLO_SLOW_RATIO: Final = Threshold(
    "slo-slow-ratio",
    0.05,
    Unit.RATIO,
    Section.DASHBOARD_CHECK,
    "API requests that may take longer than the limit of the 95th percentile, of all",
)
LEAST_TRAFFIC: Final = Threshold(
    "least-traffic",
    100,
    Unit.COUNT,
    Section.DASHBOARD_CHECK,
    "requests in an hour below which a burnt share of the budget says nothing: one failure of ten is no trend",
)


def _burn(name: str, factor: float, objective: Threshold, what: str) -> Threshold:
    share = round(factor * objective.value, 6)
    meaning = f"share of API requests that {what} at which the error budget burns {factor:g} times too fast"
    return Threshold(name, share, Unit.RATIO, Section.DASHBOARD_CHECK, meaning)


BURN_FACTORS: Final = {"1h": 14.4, "6h": 6.0, "1d": 3.0, "3d": 1.0}
ERROR_BURN_1H: Final = _burn("error-burn-1h", BURN_FACTORS["1h"], thresholds.SLO_ERROR_RATIO, "fail")
ERROR_BURN_6H: Final = _burn("error-burn-6h", BURN_FACTORS["6h"], thresholds.SLO_ERROR_RATIO, "fail")
ERROR_BURN_1D: Final = _burn("error-burn-1d", BURN_FACTORS["1d"], thresholds.SLO_ERROR_RATIO, "fail")
ERROR_BURN_3D: Final = _burn("error-burn-3d", BURN_FACTORS["3d"], thresholds.SLO_ERROR_RATIO, "fail")
LATENCY_BURN_1H: Final = _burn("latency-burn-1h", BURN_FACTORS["1h"], SLO_SLOW_RATIO, "are slow")
LATENCY_BURN_6H: Final = _burn("latency-burn-6h", BURN_FACTORS["6h"], SLO_SLOW_RATIO, "are slow")
LATENCY_BURN_1D: Final = _burn("latency-burn-1d", BURN_FACTORS["1d"], SLO_SLOW_RATIO, "are slow")
LATENCY_BURN_3D: Final = _burn("latency-burn-3d", BURN_FACTORS["3d"], SLO_SLOW_RATIO, "are slow")
MEMORY_GROWTH: Final = Threshold(
    "memory-growth",
    30_000,
    Unit.BYTES,
    Section.MEMORY_LEAK,
    "growth of a service's working set a second, over an hour: some 100 MB an hour is a leak",
)
VOLUME_HORIZON: Final = Threshold(
    "volume-horizon",
    86_400,
    Unit.SECONDS,
    Section.HEALTH_CHECK,
    "time in which a volume is full at its present rate: one working day is left to make room",
)
JOB_FIRST_SUCCESS: Final = Threshold(
    "job-first-success",
    26 * _HOUR,
    Unit.SECONDS,
    Section.LOG_REVIEW,
    "time after which a job that has run must have succeeded once",
)
DRILL_AGE: Final = Threshold(
    "drill-age",
    95,
    Unit.DAYS,
    Section.RESTORE_DRILL,
    "age of the last restore drill: a quarter and a few days to run it again",
)

ALL: Final[tuple[Threshold, ...]] = tuple(value for value in globals().values() if isinstance(value, Threshold))
