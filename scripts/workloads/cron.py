"""How often a cron expression runs at the least, and when it last did."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORT: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DAY_MINUTES: Final = 24 * 60
# A leap year and more, from a fixed day: the longest gap of any yearly pattern lies within.
_START: Final = date(2024, 1, 1)
_DAYS: Final = 2 * 366


class _Fields:
    """A cron expression of five fields, taken apart."""

    def __init__(self, expression: str) -> None:
        fields = _SHORT.get(expression.strip().lower(), expression).split()
        if len(fields) != len(_RANGES):
            raise ValueError(f"{expression!r} has not five fields")
        self._minutes, self._hours, self._days, self._months, weekdays = (
            _values(field, low, high) for field, (low, high) in zip(fields, _RANGES, strict=True)
        )
        self._weekdays = {day % 7 for day in weekdays}
        # cron joins the two fields of the day with OR where both are given.
        self._either = not fields[2].startswith("*") and not fields[4].startswith("*")

    def runs(self, day: date) -> bool:
        """Whether it runs on that day at all."""
        matches = day.day in self._days, day.isoweekday() % 7 in self._weekdays
        return day.month in self._months and (any(matches) if self._either else all(matches))

    @property
    def times(self) -> list[int]:
        """The minutes of such a day, in order."""
        return sorted(hour * 60 + minute for hour in self._hours for minute in self._minutes)


def period(expression: str) -> timedelta:
    """The longest time between two runs of a cron expression of five fields, to the minute within a day.

    Raises:
        ValueError: it is none, or it never runs.
    """
    fields = _Fields(expression)
    found = [number for number in range(_DAYS) if fields.runs(_START + timedelta(days=number))]
    if len(found) < 2:
        raise ValueError(f"{expression!r} runs hardly ever")
    longest = max(later - earlier for earlier, later in pairwise(found))
    times = fields.times
    over_night = times[0] + longest * _DAY_MINUTES - times[-1]
    within = max((later - earlier for earlier, later in pairwise(times)), default=0)
    return timedelta(minutes=max(over_night, within))


def latest(expression: str, zone: str, since: datetime, until: datetime) -> datetime | None:
    """The last run after ``since`` and not after ``until``, None where there is none.

    Raises:
        ValueError: it is no cron expression.
    """
    fields, place = _Fields(expression), ZoneInfo(zone)
    day, first = until.astimezone(place).date(), since.astimezone(place).date()
    while day >= first:
        for minutes in reversed(fields.times) if fields.runs(day) else ():
            moment = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=place).astimezone(UTC)
            if since < moment <= until:
                return moment
        day -= timedelta(days=1)
    return None


def _values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _number(first)
            end = _number(last) if dash else high if step else start
        if not low <= start <= end <= high or (step and int(step) < 1):
            raise ValueError(f"{field!r}: give numbers from {low} to {high}")
        found |= set(range(start, end + 1, int(step or 1)))
    return found


def _number(text: str) -> int:
    if text in _MONTHS:
        return _MONTHS.index(text) + 1
    return _WEEKDAYS.index(text) if text in _WEEKDAYS else int(text)
