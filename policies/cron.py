"""Cron expressions as the CronJob controller reads them: five fields, numbers or names."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final

FIELDS: Final = 5
_STEP: Final = re.compile(r"(\*|\?|[a-z0-9]{1,3}(?:-[a-z0-9]{1,3})?)(?:/([0-9]{1,3}))?")
_WEEKDAYS: Final = {name: str(number) for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}


@lru_cache(maxsize=4096)
def minutes(cron: str) -> tuple[int, ...] | None:
    """Minutes of the day at which it starts, in order; None where the expression cannot be read."""
    fields = cron.lower().split()
    if len(fields) != FIELDS:
        return None
    minute, hour = _numbers(fields[0], 0, 59), _numbers(fields[1], 0, 23)
    if minute is None or hour is None:
        return None
    return tuple(sorted(h * 60 + m for h in hour for m in minute))


def days(cron: str) -> Callable[[date], bool] | None:
    """Whether it starts on a day, whatever the month; None where the expression cannot be read."""
    fields = cron.lower().split()
    if len(fields) != FIELDS:
        return None
    month_days, weekdays = _numbers(fields[2], 1, 31), _numbers(fields[4], 0, 7)
    if month_days is None or weekdays is None:
        return None
    by_date, by_weekday = "*" not in fields[2] and "?" not in fields[2], "*" not in fields[4] and "?" not in fields[4]
    week = {number % 7 for number in weekdays}

    def on(day: date) -> bool:
        in_month, in_week = day.day in month_days, day.isoweekday() % 7 in week
        # Two restrictions are an "or", which another rule refuses.
        return (in_month or in_week) if by_date and by_weekday else (in_month and in_week)

    return on


def _numbers(field: str, low: int, high: int) -> frozenset[int] | None:
    found: set[int] = set()
    for part in field.split(","):
        match = _STEP.fullmatch(part)
        if match is None:
            return None
        span, step = match[1], int(match[2] or 1)
        first, _, last = span.partition("-")
        start = low if span in ("*", "?") else _number(first)
        end = high if span in ("*", "?") or (match[2] and not last) else _number(last or first)
        if start is None or end is None or step == 0 or not low <= start <= end <= high:
            return None
        found.update(range(start, end + 1, step))
    return frozenset(found)


def _number(text: str) -> int | None:
    text = _WEEKDAYS.get(text, text)
    return int(text) if text.isascii() and text.isdigit() else None
