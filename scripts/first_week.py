"""Runs that are meant only in the first week of a month.

cron cannot say "the first Sunday": it joins day of month and weekday with OR (defect 12). The CronJob comes every
Sunday with ``OPS_FIRST_WEEK_ONLY=1``, and the program asks for the date itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from runbook.first_week import VARIABLE, ZONE_VARIABLE
from scripts.exits import UsageError
from scripts.output import Outcome, say

_LAST_DAY: Final = 7
_SWITCH: Final = {"": False, "0": False, "1": True}


def skipped(variables: Mapping[str, str], settings_zone: Callable[[], str], now: datetime | None = None) -> str | None:
    """Why there is nothing to do today, or None where the command runs.

    Without the variable every day is right. The date is the one of ``OPS_TIME_ZONE``, else of the settings.

    Raises:
        UsageError: a variable has another value than these.
    """
    given = variables.get(VARIABLE, "")
    if given not in _SWITCH:
        raise UsageError(f"{VARIABLE}={given!r}: give 1, or 0 for every day")
    if not _SWITCH[given]:
        return None
    today = local_time(now or datetime.now(UTC), variables.get(ZONE_VARIABLE) or settings_zone())
    if today.day <= _LAST_DAY:
        return None
    return f"not in the first week of the month: nothing to do (today is {today:%Y-%m-%d} in {today.tzinfo})"


def local_time(moment: datetime, zone: str) -> datetime:
    """``moment`` by the clocks of a time zone.

    Raises:
        UsageError: there is no such zone.
    """
    try:
        return moment.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        raise UsageError(f"{zone!r} is no time zone known here; write it like Europe/Berlin or UTC") from None


def outcome(reason: str) -> Outcome:
    """The result of a run that had nothing to do."""
    return Outcome({"skipped": reason}, say(reason))
