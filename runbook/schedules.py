"""When things happen: every schedule of the runbook, as the cron expression that really means it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring time: ``cron`` has five fields; the time zone is a setting of the stack and always explicit."""

    name: str
    cron: str
    section: Section
    meaning: str


HEALTH_CHECK: Final = Schedule("health-check", "0 8 * * *", Section.HEALTH_CHECK, "every day at 08:00")
BACKUP_POSTGRES: Final = Schedule("backup-postgres", "0 2 * * *", Section.DATABASE_BACKUP, "every day at 02:00")
PEAK_START: Final = Schedule("peak-start", "0 8 * * *", Section.PEAK_SCALING, "every day at 08:00")
PEAK_END: Final = Schedule("peak-end", "0 10 * * *", Section.PEAK_SCALING, "every day at 10:00")
WEEKLY_MAINTENANCE: Final = Schedule(
    "weekly-maintenance", "0 2 * * 2", Section.MAINTENANCE_WINDOWS, "every Tuesday at 02:00 UTC"
)
# cron joins day-of-month and weekday with OR: "0 3 1-7 * 0" would run on the first seven days and on every Sunday. The
# schedule is every Sunday, and the job itself asks whether it is the month's first.
MONTHLY_MAINTENANCE: Final = Schedule(
    "monthly-maintenance",
    "0 3 * * 0",
    Section.MAINTENANCE_WINDOWS,
    "every Sunday at 03:00 UTC, guarded to the month's first",
)

ALL: Final[tuple[Schedule, ...]] = tuple(value for value in globals().values() if isinstance(value, Schedule))
