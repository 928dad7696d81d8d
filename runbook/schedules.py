"""When things happen: every schedule of the runbook, as the cron expression that really means it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook import cron
from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring time.

    ``cron`` has five fields. ``time_zone`` is the runbook's where it names one; else None, and the stack's own counts.
    ``first_week`` says that a run is meant only in the first seven days of a month: cron cannot say that together with
    a weekday, so the job itself asks.
    """

    name: str
    cron: str
    section: Section
    meaning: str
    time_zone: str | None = None
    first_week: bool = False

    @property
    def times(self) -> cron.Times:
        return cron.times(self.cron)

    @property
    def catch_up_seconds(self) -> int:
        """How late a run may still start: an hour, or minutes where the next run comes soon anyway."""
        return 300 if self.times.often else 3600


HEALTH_CHECK: Final = Schedule("health-check", "0 8 * * *", Section.HEALTH_CHECK, "every day at 08:00")
SLO_CHECK: Final = Schedule("slo-check", "10 * * * *", Section.DASHBOARD_CHECK, "every hour, at minute 10")
LOG_REVIEW: Final = Schedule("log-review", "5 * * * *", Section.LOG_REVIEW, "every hour, at minute 5")
INCIDENT_REMINDER: Final = Schedule(
    "incident-reminder", "*/15 * * * *", Section.INCIDENT_PROCESS, "every 15 minutes, while an incident is open"
)
INCIDENT_REVIEW: Final = Schedule("incident-review", "0 10 * * 1", Section.ESCALATION, "every Monday at 10:00")
CONNECTION_REAPER: Final = Schedule(
    "connection-reaper", "*/10 * * * *", Section.CONNECTION_POOL, "every 10 minutes: ends what idles for too long"
)
PEAK_START: Final = Schedule("peak-start", "0 8 * * *", Section.PEAK_SCALING, "every day at 08:00")
PEAK_END: Final = Schedule("peak-end", "0 10 * * *", Section.PEAK_SCALING, "every day at 10:00")
BACKUP_POSTGRES: Final = Schedule("backup-postgres", "0 2 * * *", Section.DATABASE_BACKUP, "every day at 02:00")
BACKUP_VERIFY: Final = Schedule(
    "backup-verify",
    "0 4 * * *",
    Section.DATABASE_RECOVERY,
    "every day at 04:00: the newest backup is restored and proven",
)
BACKUP_PRUNE: Final = Schedule("backup-prune", "0 5 * * *", Section.DATABASE_BACKUP, "every day at 05:00")
BACKUP_REDIS: Final = Schedule("backup-redis", "20 2 * * *", Section.REDIS_PERSISTENCE, "every day at 02:20")
BACKUP_RESOURCES: Final = Schedule("backup-resources", "40 2 * * *", Section.RESOURCE_BACKUP, "every day at 02:40")
RESTORE_DRILL: Final = Schedule(
    "restore-drill", "0 6 1 1,4,7,10 *", Section.RESTORE_DRILL, "the first day of each quarter at 06:00 UTC", "UTC"
)
ACCESS_REVIEW: Final = Schedule("access-review", "0 9 1 * *", Section.ACCESS_REVIEW, "the first of each month at 09:00")
JWT_ROTATION: Final = Schedule(
    "jwt-rotation",
    "0 3 * * 3",
    Section.SECRET_ROTATION,
    "every Wednesday at 03:00: rotates, or ends an overlap, when due",
)
WEEKLY_MAINTENANCE: Final = Schedule(
    "weekly-maintenance", "0 2 * * 2", Section.MAINTENANCE_WINDOWS, "every Tuesday at 02:00 UTC", "UTC"
)
# cron joins day-of-month and weekday with OR: "0 3 1-7 * 0" would run on the first seven days and on every Sunday. The
# schedule is every Sunday, and the job itself asks whether it is the month's first.
MONTHLY_MAINTENANCE: Final = Schedule(
    "monthly-maintenance",
    "0 3 * * 0",
    Section.MAINTENANCE_WINDOWS,
    "every Sunday at 03:00 UTC, guarded to the month's first",
    "UTC",
    first_week=True,
)

ALL: Final[tuple[Schedule, ...]] = tuple(value for value in globals().values() if isinstance(value, Schedule))
