"""Limits of the health check that the runbook's sections imply without stating a number of their own."""

from __future__ import annotations

from typing import Final

from runbook.sections import Section
from runbook.thresholds import Threshold, Unit

BACKUP_AGE: Final = Threshold(
    "backup-age",
    26 * 3600,
    Unit.SECONDS,
    Section.DATABASE_BACKUP,
    "age of the newest backup: one day and two hours for the run",
)
CONNECTION_RATIO: Final = Threshold(
    "connection-ratio", 0.8, Unit.RATIO, Section.CONNECTION_POOL, "connections of PostgreSQL in use, of max_connections"
)
