"""Rules about jobs that run by the clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from policies import kinds
from policies.model import Judgement, Meta, Parameters, Resource, Severity, expect, expect_equal
from policies.plain import Plain
from runbook import cron, schedules
from runbook.sections import Section

_FIELDS: Final = 5
# The controller looks every 10 seconds: a shorter deadline can miss every start.
_LEAST_DEADLINE_SECONDS: Final = 10
_BY_NAME: Final[Mapping[str, schedules.Schedule]] = {schedule.name: schedule for schedule in schedules.ALL}


def _forbid(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    yield expect_equal(resource.at("spec", "concurrencyPolicy"), "Forbid")


def _time_zone(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    yield expect(resource.at("spec", "timeZone"), _known_zone, "a name of the tz database, like UTC or Europe/Berlin")


def _known_zone(value: Plain) -> bool:
    return isinstance(value, str) and cron.zone(value).key == value


def _deadline(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    deadline = resource.at("spec", "startingDeadlineSeconds")
    yield expect(deadline, _long_enough, f"a whole number of seconds, at least {_LEAST_DEADLINE_SECONDS}")


def _long_enough(value: Plain) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= _LEAST_DEADLINE_SECONDS


def _unambiguous(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    schedule = resource.at("spec", "schedule")
    yield expect(schedule, lambda value: _times(value) is not None, "five fields of cron, and no TZ= in front")
    allowed = "a day of the month or a weekday, not both: cron would start the job on either"
    yield expect(schedule, lambda value: (times := _times(value)) is None or not times.either, allowed)


def _fields(value: Plain) -> list[str]:
    return value.split() if isinstance(value, str) else []


def _times(value: Plain) -> cron.Times | None:
    try:
        return cron.times(value) if isinstance(value, str) and len(_fields(value)) == _FIELDS else None
    except ValueError:
        return None


def _as_in_runbook(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    schedule = _BY_NAME.get(resource.at("metadata", "name").text or "")
    if schedule is not None:
        wanted = f'"{schedule.cron}", {schedule.meaning}'
        yield expect(resource.at("spec", "schedule"), lambda value: _fields(value) == schedule.cron.split(), wanted)


_IS_CRON_JOB: Final = kinds.one_of(kinds.CRON_JOB)

RULES: Final = (
    Meta(
        "cronjob-forbids-overlap",
        "A scheduled job never runs beside itself.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Set spec.concurrencyPolicy: Forbid.",
    ).of_resource(_IS_CRON_JOB, _forbid),
    Meta(
        "cronjob-time-zone",
        "A schedule says in which time zone it is meant.",
        Severity.MEDIUM,
        Section.MAINTENANCE_WINDOWS,
        "Set spec.timeZone from the stack's crypto:timeZone.",
    ).of_resource(_IS_CRON_JOB, _time_zone),
    Meta(
        "cronjob-deadline",
        "A job that missed its time starts late or not at all, by a stated deadline.",
        Severity.MEDIUM,
        Section.DATABASE_BACKUP,
        "Set spec.startingDeadlineSeconds: without it, 100 missed starts stop the schedule for ever.",
    ).of_resource(_IS_CRON_JOB, _deadline),
    Meta(
        "cronjob-unambiguous",
        "A schedule means what it looks like.",
        Severity.HIGH,
        Section.MAINTENANCE_WINDOWS,
        "Schedule by the weekday and let the job itself check the date.",
    ).of_resource(_IS_CRON_JOB, _unambiguous),
    Meta(
        "cronjob-as-in-runbook",
        "A job of the runbook runs when the runbook says.",
        Severity.HIGH,
        Section.MAINTENANCE_WINDOWS,
        "Take the cron expression from runbook.schedules.",
    ).of_resource(_IS_CRON_JOB, _as_in_runbook),
)
