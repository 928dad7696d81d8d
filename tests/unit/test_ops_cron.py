"""How often a cron expression runs at the least, and when it last did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook import schedules
from scripts.workloads import cron


@pytest.mark.parametrize(
    ("expression", "longest"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("*/10 * * * *", timedelta(minutes=10)),
        ("5 * * * *", timedelta(hours=1)),
        ("0 8,10 * * *", timedelta(hours=22)),
        ("0 2 * * *", timedelta(days=1)),
        ("0 9-17/4 * * 1-5", timedelta(days=2, hours=16)),
        ("0 3 * * 0", timedelta(days=7)),
        ("0 3 * * 7", timedelta(days=7)),
        ("0 3 * * SUN", timedelta(days=7)),
        ("0 9 1 * *", timedelta(days=31)),
        ("0 6 1 1,4,7,10 *", timedelta(days=92)),
        ("0 6 1 JAN *", timedelta(days=366)),
        # Day of month or weekday, not both.
        ("0 3 1-7 * 0", timedelta(days=7)),
        ("@daily", timedelta(days=1)),
    ],
)
def test_the_longest_gap_between_two_runs_is_the_period(expression: str, longest: timedelta) -> None:
    assert cron.period(expression) == longest


@pytest.mark.parametrize("expression", ["", "* * * *", "61 * * * *", "a * * * *", "*/0 * * * *", "0 0 31 2 *"])
def test_what_is_no_schedule_is_an_error(expression: str) -> None:
    with pytest.raises(ValueError, match=r"five fields|give numbers|invalid literal|hardly ever"):
        cron.period(expression)


def test_every_schedule_of_the_runbook_has_a_period() -> None:
    periods = {schedule.name: cron.period(schedule.cron) for schedule in schedules.ALL}

    assert len(periods) > 10
    assert periods["health-check"] == timedelta(days=1)
    assert periods["monthly-maintenance"] == timedelta(days=7)


@pytest.mark.parametrize(
    ("expression", "zone", "last"),
    [
        ("0 2 * * *", "UTC", datetime(2026, 3, 3, 2, tzinfo=UTC)),
        ("0 2 * * *", "Europe/Berlin", datetime(2026, 3, 3, 1, tzinfo=UTC)),
        ("*/10 * * * *", "UTC", datetime(2026, 3, 3, 2, 20, tzinfo=UTC)),
        ("20 2 * * *", "UTC", datetime(2026, 3, 3, 2, 20, tzinfo=UTC)),
        ("0 3 * * *", "UTC", None),
        ("0 23 * * *", "UTC", datetime(2026, 3, 2, 23, tzinfo=UTC)),
        ("30 22 * * *", "UTC", None),
        ("0 2 * * 3", "UTC", None),
    ],
)
def test_the_last_run_between_two_moments_is_found(expression: str, zone: str, last: datetime | None) -> None:
    since, until = datetime(2026, 3, 2, 22, 30, tzinfo=UTC), datetime(2026, 3, 3, 2, 20, tzinfo=UTC)

    assert cron.latest(expression, zone, since, until) == last
