"""Rules about the jobs' times together: none meets another, the peak or a maintenance window (section 8.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from policies import kinds, pods
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect, undecided
from policies.values import whole
from runbook import cron, jobs, practices, schedules
from runbook.sections import Section
from runbook.units import time_of_day

_GAP: Final = practices.SCHEDULE_GAP.count // 60
_WINDOW: Final = practices.MAINTENANCE_WINDOW.count // 60
_DAY: Final = 24 * 60
# Five weeks of winter and of summer: every weekday, every day of a month, both offsets from UTC.
_SAMPLE: Final = ((2026, 1), (2026, 7))
_SAMPLE_DAYS: Final = timedelta(days=35)
_ORIGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
# What streams a datastore, changes tables or rolls services. A job that the runbook does not know may do anything.
_HEAVY: Final = frozenset(
    job.name for job in jobs.ALL if job.large or job in (jobs.WEEKLY_MAINTENANCE, jobs.JWT_ROTATION)
)
_KNOWN: Final = frozenset(schedule.name for schedule in schedules.ALL)
# The runbook itself sets maintenance on a backup's time. A dump reads and vacuum does not lock it out.
_MAINTENANCE: Final = jobs.WEEKLY_MAINTENANCE.name
_WINDOWS: Final = tuple(each for each in schedules.ALL if each.section is Section.MAINTENANCE_WINDOWS)


class _Start(NamedTuple):
    """A job starts, in minutes of UTC since the sample began (``minute``) and on its own clock (``clock``)."""

    minute: int
    clock: int
    name: str


class _Entry(NamedTuple):
    name: str
    cron: str
    zone: str


@lru_cache(maxsize=1024)
def _starts(entry: _Entry) -> tuple[_Start, ...]:
    """Every start in the sample; none where the expression or the zone cannot be read, which other rules say."""
    try:
        times, zone = cron.times(entry.cron), cron.zone(entry.zone)
    except ValueError:
        return ()
    # Whatever the month: a quarterly job meets what a daily one meets.
    times = replace(times, months=cron.EVERY_MONTH)
    return tuple(
        _Start((moment - _ORIGIN) // _MINUTE, moment.hour * 60 + moment.minute, entry.name)
        for year, month in _SAMPLE
        for before in [datetime(year, month, 1, tzinfo=zone) - _MINUTE]
        for moment in cron.starts(times, before, before + _SAMPLE_DAYS)
    )


def _often(entry: _Entry) -> bool:
    """Runs each hour or more often: it meets everything, and is made for that."""
    try:
        return cron.times(entry.cron).often
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _complaints(entries: tuple[_Entry, ...]) -> dict[str, tuple[str, str]]:
    """What is wrong with the times of a namespace's jobs: job -> what was found and what is allowed."""
    judged = [entry for entry in entries if (entry.name in _HEAVY or entry.name not in _KNOWN) and not _often(entry)]
    starts = sorted(start for entry in judged for start in _starts(entry))
    return {**_in_windows(starts), **_in_peak(starts), **_too_close(starts)}


def _too_close(starts: list[_Start]) -> dict[str, tuple[str, str]]:
    allowed = f"{_GAP} minutes between the starts of two jobs that load the datastores"
    found: dict[str, tuple[str, str]] = {}
    recent: list[_Start] = []
    for start in starts:
        recent = [other for other in recent if start.minute - other.minute < _GAP]
        other = next((each for each in recent if not _may_meet(each.name, start.name)), None)
        if other is not None:
            found.setdefault(start.name, (f"less than {_GAP} minutes after {other.name}", allowed))
            # It has been said of this job: whoever comes next is measured by the other.
            continue
        recent.append(start)
    return found


def _may_meet(one: str, other: str) -> bool:
    return one == other or (_MAINTENANCE in (one, other) and one in _HEAVY and other in _HEAVY)


def _in_peak(starts: list[_Start]) -> dict[str, tuple[str, str]]:
    begin, end = (each.times.of_day[0] for each in (schedules.PEAK_START, schedules.PEAK_END))
    allowed = f"a time outside the peak hours, {time_of_day(begin)} to {time_of_day(end)}"
    return {start.name: ("within the peak hours", allowed) for start in starts if begin <= start.clock < end}


def _in_windows(starts: list[_Start]) -> dict[str, tuple[str, str]]:
    """A job of somebody else's in a maintenance window: nobody would be told of its failure."""
    windows = {
        start.minute + each
        for window in _WINDOWS
        for start in _starts(_Entry(window.name, window.cron, "UTC"))
        for each in range(_WINDOW)
    }
    allowed = f"a time outside the maintenance windows, {_WINDOW} minutes each"
    return {
        start.name: ("within a maintenance window", allowed)
        for start in starts
        if start.name not in _KNOWN and start.minute in windows
    }


def _apart(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    spaces: defaultdict[str | None, list[tuple[Resource, _Entry]]] = defaultdict(list)
    for job in index.of(kinds.CRON_JOB):
        schedule, zone = job.at("spec", "schedule"), job.at("spec", "timeZone")
        if schedule.hidden or zone.hidden or job.object_name is None:
            yield job, undecided(schedule.path, "a time that meets no other job, nor the peak, nor maintenance")
        elif schedule.text is not None:
            spaces[job.namespace].append((job, _Entry(job.object_name, schedule.text, zone.text or "UTC")))
    for pairs in spaces.values():
        yield from _judged(pairs)


def _judged(pairs: list[tuple[Resource, _Entry]]) -> Iterator[tuple[Resource, Judgement]]:
    complaints = _complaints(tuple(sorted({entry for _, entry in pairs})))
    for job, entry in pairs:
        found, allowed = complaints.get(entry.name, ("", ""))
        yield job, decide(found == "", "spec.schedule", f'"{entry.cron}" in {entry.zone}, {found}', allowed)


def _ends(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = resource.at("spec", "jobTemplate", "spec")
    allowed = "seconds above 0, after which a run that hangs is ended"
    yield expect(spec.at("activeDeadlineSeconds"), lambda value: whole(value) > 0, allowed)
    policy = pods.pod_spec(resource).at("restartPolicy")
    yield expect(policy, lambda value: value == "Never", "Never: the log of each try is kept, and counts as one")


def _tidy(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    ttl = resource.at("spec", "jobTemplate", "spec", "ttlSecondsAfterFinished")
    yield expect(ttl, lambda value: whole(value) > 0, "seconds above 0, for which a finished run is kept for a look")


_IS_CRON_JOB: Final = kinds.one_of(kinds.CRON_JOB)

RULES: Final = (
    Meta(
        "schedules-apart",
        "Jobs that load the datastores meet neither one another nor the peak, and no other job maintenance.",
        Severity.MEDIUM,
        Section.MAINTENANCE_WINDOWS,
        "Move the job, or choose a crypto:timeZone in which the runbook's own jobs keep apart.",
    ).of_stack(_apart),
    Meta(
        "cronjob-ends",
        "A run that hangs is ended, and a failed one keeps its log.",
        Severity.MEDIUM,
        Section.LOG_REVIEW,
        "Set activeDeadlineSeconds on the job and restartPolicy: Never on its pod.",
    ).of_resource(_IS_CRON_JOB, _ends),
    Meta(
        "cronjob-tidies-up",
        "Finished runs are kept for a while and then removed.",
        Severity.LOW,
        Section.LOG_REVIEW,
        "Set ttlSecondsAfterFinished on the job.",
    ).of_resource(_IS_CRON_JOB, _tidy),
)
