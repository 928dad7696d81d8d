"""Cron expressions as the CronJob controller reads them, by robfig/cron v3: tests/oracles compares the two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from runbook import units

EVERY_MONTH: Final = frozenset(range(1, 13))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Of each field the least number, the greatest and the names. Sunday is 0 alone.
_FIELDS: Final[tuple[tuple[int, int, Mapping[str, int]], ...]] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_WEEKDAYS)}),
)
_SHORT: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EVERY: Final = "@every "
# What Go takes for space: str.split() takes four more.
_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_WORD: Final = re.compile(f"[^{_SPACE}]+")
_NUMBER: Final = re.compile(r"\+?[0-9]+")
_PREFIX: Final = re.compile(r"(?:CRON_)?TZ=([^ ]*) (.*)", re.DOTALL)
_MOST: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = 5
# Clocks change some times a year: starts that are further apart may each have a change before them.
_OFTEN: Final = timedelta(days=31)
# Before it, there are zones without a date.
_CALENDAR: Final = datetime(1, 1, 2, tzinfo=UTC)
# Five years from a leap year's first day: a yearly pattern, and the 29th of February, come twice.
_SAMPLE: Final = tuple(date(2024, 1, 1) + timedelta(days=number) for number in range(_YEARS * 366))


@dataclass(frozen=True)
class Times:
    """Starts by the clock: the numbers of the five fields.

    ``either``: a day counts by its date or by its weekday, because both fields are restricted. ``zone`` is that of a
    ``TZ=`` in front; None is the zone of the moment from which a start is looked for.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    zone: tzinfo | None = None

    @cached_property
    def of_day(self) -> tuple[int, ...]:
        """The minutes of a day at which it starts, in order."""
        return tuple(sorted(hour * 60 + minute for hour in self.hours for minute in self.minutes))

    @property
    def often(self) -> bool:
        """Whether it starts as often on a day as what starts each hour."""
        return len(self.of_day) >= 24

    def on(self, day: date) -> bool:
        """Whether it starts on a day of that date and weekday, whatever the month."""
        matches = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return any(matches) if self.either else all(matches)

    def after(self, moment: datetime) -> datetime | None:
        """The first start after a moment with a zone, in that zone; None where there is none in five years."""
        if not (self.of_day and self.months):
            return None
        try:
            clock = _Clock((moment - _EPOCH) // timedelta(seconds=1) + 1, self.zone or moment.tzinfo or UTC)
            return datetime.fromtimestamp(clock.unix, moment.tzinfo) if clock.to_start(self) else None
        except (OverflowError, ValueError):
            # Where no calendar reaches.
            return None


@dataclass(frozen=True)
class Every:
    """Starts a while after the last one."""

    delay: timedelta

    def after(self, moment: datetime) -> datetime | None:
        """The first start after a moment with a zone, in that zone; None where no calendar reaches."""
        try:
            utc = moment.astimezone(UTC).replace(microsecond=0) + self.delay
        except OverflowError:
            return None
        return utc.astimezone(moment.tzinfo)


Cron: TypeAlias = Times | Every


@lru_cache(maxsize=4096)
def parse(expression: str) -> Cron:
    """What starts when, by an expression.

    Raises:
        ValueError: Kubernetes refuses it.
    """
    rest, own = expression, None
    if prefix := _PREFIX.fullmatch(expression):
        rest = prefix[2].strip(_SPACE)
        own = None if prefix[1] == "Local" else zone(prefix[1] or "UTC")
    if rest.startswith(_EVERY):
        return Every(timedelta(seconds=max(1, units.nanoseconds(rest.removeprefix(_EVERY)) // 10**9)))
    fields = _WORD.findall(_SHORT.get(rest, rest))
    if len(fields) != len(_FIELDS):
        raise ValueError(f"{expression!r} has not five fields and is none of {', '.join(_SHORT)} and {_EVERY}1h30m")
    numbers = [_numbers(text, *field) for text, field in zip(fields, _FIELDS, strict=True)]
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = numbers
    return Times(minutes, hours, days, months, weekdays, not (any_day or any_weekday), own)


def times(expression: str) -> Times:
    """The times of an expression.

    Raises:
        ValueError: Kubernetes refuses it, or it has none, as ``@every 1h``.
    """
    found = parse(expression)
    if isinstance(found, Times):
        return found
    raise ValueError(f"{expression!r} names no time")


def zone(name: str) -> ZoneInfo:
    """The time zone of a name.

    Raises:
        ValueError: it is no name of the tz database.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"{name!r} is no time zone: write it like UTC or Europe/Berlin") from None


def starts(cron: Cron, since: datetime, until: datetime) -> Iterator[datetime]:
    """Every start after ``since`` and not after ``until``, in the zone of ``since``."""
    # Two moments of one zone are compared by what clocks show.
    end, moment = until.astimezone(UTC), cron.after(since)
    while moment is not None and moment.astimezone(UTC) <= end:
        yield moment
        moment = cron.after(moment)


def latest(expression: str, place: str, since: datetime, until: datetime) -> datetime | None:
    """The last start after ``since`` and not after ``until`` in UTC, None where there is none.

    Raises:
        ValueError: it is no cron expression, or the place is no time zone.
    """
    cron, own = parse(expression), zone(place)
    begin, end = max(since, _CALENDAR), until.astimezone(UTC)
    if isinstance(cron, Every):
        first = since.astimezone(UTC).replace(microsecond=0)
        count = (end - first) // cron.delay
        return first + count * cron.delay if count > 0 else None
    between = period(expression)
    # From which moment a walk begins decides whether robfig/cron leaves a start out after a change of the clocks. Two
    # walks have met after some starts without a change, and what starts often need not be walked from the beginning: a
    # job of every minute has had a million starts in two years.
    if between is not None and between <= _OFTEN:
        span = max(40 * between, timedelta(days=2))
        begin = end - min(span, end - begin)
    return max((moment.astimezone(UTC) for moment in starts(cron, begin.astimezone(own), end)), default=None)


def period(expression: str) -> timedelta | None:
    """The longest time between two starts, to the minute within a day; None where it never starts.

    Raises:
        ValueError: it is no cron expression.
    """
    cron = parse(expression)
    if isinstance(cron, Every):
        return cron.delay
    days = [number for number, day in enumerate(_SAMPLE) if day.month in cron.months and cron.on(day)]
    if not (days and cron.of_day):
        return None
    between = max(later - earlier for earlier, later in pairwise(days)) * 24 * 60 + cron.of_day[0] - cron.of_day[-1]
    within = [later - earlier for earlier, later in pairwise(cron.of_day)]
    return timedelta(minutes=max([between, *within]))


class _Clock:
    """A moment that moves in the steps of robfig's loops, which decide what happens where clocks change.

    Each step goes to where a field matches, and returns whether the field wrapped on the way.
    """

    def __init__(self, unix: int, place: tzinfo) -> None:
        self._zone = place
        self._moved = False
        self.unix, self.local = unix, datetime.fromtimestamp(unix, place)

    def to_start(self, times: Times) -> bool:
        """Go to the first start in five years; whether there is one."""
        last = self.local.year + _YEARS
        while self.local.year <= last:
            # Where a field wraps, the greater ones are looked at again.
            if not (
                self._to_month(times) or self._to_day(times) or self._to_hour(times) or self._to_minute(times)
                or self._to_second()
            ):  # fmt: skip
                return True
        return False

    def _to_month(self, times: Times) -> bool:
        while self.local.month not in times.months:
            self._begin(self.local.replace(day=1, hour=0, minute=0, second=0))
            first = self.local.replace(day=1)
            self._show((first + timedelta(days=32)).replace(day=1) + timedelta(days=self.local.day - 1))
            if self.local.month == 1:
                return True
        return False

    def _to_day(self, times: Times) -> bool:
        while not times.on(self.local):
            self._begin(self.local.replace(hour=0, minute=0, second=0))
            before = self.local.day
            self._show(self.local + timedelta(days=1))
            # Where clocks change at midnight.
            hour = self.local.hour
            self._add((24 - hour if hour > 12 else -hour) * 3600)
            if self.local.day == before:
                # A day that a zone left out, as Samoa did in 2011: there robfig's loop has no end.
                self._add(24 * 3600)
            if self.local.day == 1:
                return True
        return False

    def _to_hour(self, times: Times) -> bool:
        while self.local.hour not in times.hours:
            self._begin(self.local.replace(minute=0, second=0))
            self._leap(self.local.hour, times.hours, 24, 3600)
            if self.local.hour == 0:
                return True
        return False

    def _to_minute(self, times: Times) -> bool:
        while self.local.minute not in times.minutes:
            # A minute of UTC: some zones were not whole minutes from it.
            self._add(0 if self._moved else -(self.unix % 60))
            self._moved = True
            self._leap(self.local.minute, times.minutes, 60, 60)
            if self.local.minute == 0:
                return True
        return False

    def _to_second(self) -> bool:
        wraps = self.local.second != 0
        while self.local.second != 0:
            self._moved = True
            self._leap(self.local.second, (), 60, 1)
        return wraps

    def _begin(self, local: datetime) -> None:
        """Go back to the beginning of the field, where nothing has moved yet."""
        if not self._moved:
            self._moved = True
            self._show(local)

    def _show(self, local: datetime) -> None:
        """Go to when clocks show this; where they never do, or twice, to what Go's time.Date chooses."""
        unix = int(local.replace(tzinfo=UTC).timestamp())
        self._go(unix - self._offset(unix - self._offset(unix)))

    def _leap(self, shown: int, wanted: Iterable[int], end: int, size: int) -> None:
        """Go on by one of a field's units of ``size`` seconds; where no clock changes, to the next wanted."""
        steps = min((number for number in wanted if number > shown), default=end) - shown
        same = self._offset(self.unix + steps * size) == self._offset(self.unix)
        self._add(steps * size if same else size)

    def _add(self, seconds: int) -> None:
        if seconds:
            self._go(self.unix + seconds)

    def _go(self, unix: int) -> None:
        self.unix, self.local = unix, datetime.fromtimestamp(unix, self._zone)

    def _offset(self, unix: int) -> int:
        offset = datetime.fromtimestamp(unix, self._zone).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())


def _numbers(field: str, low: int, high: int, names: Mapping[str, int]) -> tuple[frozenset[int], bool]:
    """The numbers of a field, and whether it restricts nothing, as ``*`` and ``?`` say; ``*/2`` does."""
    found: set[int] = set()
    anything = False
    for part in filter(None, field.split(",")):
        span, *steps = part.split("/")
        first, *last = span.split("-")
        any_number = first in ("*", "?")
        start = low if any_number else _number(first, names)
        end = high if any_number or (steps and not last) else _number(last[0] if last else first, names)
        step = _number(steps[0], {}) if steps else 1
        if len(steps) > 1 or (len(last) > 1 and not any_number) or not (step and low <= start <= end <= high):
            raise ValueError(f"{field!r}: give numbers from {low} to {high}, rising")
        found.update(range(start, end + 1, step))
        anything = anything or (any_number and step == 1)
    return frozenset(found), anything


def _number(text: str, names: Mapping[str, int]) -> int:
    number = names.get(text.lower())
    if number is None and (not _NUMBER.fullmatch(text) or (number := int(text)) > _MOST):
        raise ValueError(f"{text!r} is no number")
    return number
