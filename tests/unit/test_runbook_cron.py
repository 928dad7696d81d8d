"""Cron expressions: what they mean to people and to the rules. tests/oracles compares them with Kubernetes' own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from runbook import cron, schedules

_FAR: datetime = datetime(9000, 1, 1, tzinfo=UTC)


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
        ("0 3 * * SUN", timedelta(days=7)),
        ("0 9 1 * *", timedelta(days=31)),
        ("0 6 1 1,4,7,10 *", timedelta(days=92)),
        ("0 6 1 JAN *", timedelta(days=366)),
        ("0 6 29 2 *", timedelta(days=4 * 365 + 1)),
        # Day of month or weekday, not both.
        ("0 3 1-7 * 0", timedelta(days=7)),
        ("0 3 */2 * 1-5", timedelta(days=2)),
        ("@daily", timedelta(days=1)),
        ("@every 1h30m", timedelta(minutes=90)),
        ("TZ=Europe/Berlin 0 2 * * *", timedelta(days=1)),
    ],
)
def test_the_longest_gap_between_two_runs_is_the_period(expression: str, longest: timedelta) -> None:
    assert cron.period(expression) == longest


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "61 * * * *",
        "a * * * *",
        "*/0 * * * *",
        "@every day",
        "\u0663 * * * *",
        "0 0 * * *\u0663",
        "5\x1c * * * *",
    ],
)
def test_what_is_no_schedule_is_an_error(expression: str) -> None:
    with pytest.raises(ValueError, match=r"five fields|give numbers|is no number|is no duration"):
        cron.period(expression)


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30,31 feb *", ", * * * *", "* , * * *", "0 0 , * *"])
def test_a_schedule_that_kubernetes_takes_and_that_never_starts_is_read_and_has_no_period(expression: str) -> None:
    since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)

    assert cron.period(expression) is None
    assert cron.latest(expression, "Europe/Berlin", since, until) is None


def test_sunday_is_no_7_as_kubernetes_refuses_it() -> None:
    with pytest.raises(ValueError, match="give numbers from 0 to 6"):
        cron.parse("0 3 * * 7")


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
        ("@every 1h", "UTC", datetime(2026, 3, 3, 1, 30, tzinfo=UTC)),
    ],
)
def test_the_last_run_between_two_moments_is_found(expression: str, zone: str, last: datetime | None) -> None:
    since, until = datetime(2026, 3, 2, 22, 30, tzinfo=UTC), datetime(2026, 3, 3, 2, 20, tzinfo=UTC)

    assert cron.latest(expression, zone, since, until) == last


def test_the_last_run_is_found_in_the_hour_that_comes_twice() -> None:
    since, until = datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, 15, tzinfo=UTC)

    assert cron.latest("*/10 * * * *", "Europe/Berlin", since, until) == datetime(2026, 10, 25, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression", ["* * * * *", "*/7 3,4 * * *", "0 6 1 1 *", "0 0 31 * 5", "@every 1h10m", "TZ=Asia/Tokyo 5 4 * * *"]
)
@pytest.mark.parametrize("hours", [0.1, 30, 24 * 40])
def test_the_last_run_is_the_last_of_all_runs(expression: str, hours: float) -> None:
    until = datetime(2026, 11, 3, 2, 20, tzinfo=UTC)
    since = until - timedelta(hours=hours)
    every = cron.starts(cron.parse(expression), since, until)

    assert cron.latest(expression, "UTC", since, until) == max(every, default=None)


@pytest.mark.parametrize(
    ("expression", "zone", "since", "until"),
    [
        # Clocks change by half an hour in the night in which the walk begins, or later.
        (
            "0 0 ? * 0",
            "Australia/Lord_Howe",
            datetime(2003, 10, 15, 5, 42, tzinfo=UTC),
            datetime(2003, 11, 5, tzinfo=UTC),
        ),
        (
            "0 0 ? 4 0",
            "Australia/Lord_Howe",
            datetime(2028, 2, 6, 4, 19, tzinfo=UTC),
            datetime(2028, 4, 8, 17, tzinfo=UTC),
        ),
        (
            "0 0 ? * 0",
            "America/St_Johns",
            datetime(2000, 2, 12, 0, 50, tzinfo=UTC),
            datetime(2000, 4, 14, 13, tzinfo=UTC),
        ),
        ("0 0 ? 4 0", "America/Havana", datetime(2001, 3, 17, 17, 26, tzinfo=UTC), datetime(2001, 5, 19, tzinfo=UTC)),
        ("0 0 1 * *", "Asia/Gaza", datetime(2011, 3, 28, 21, 27, tzinfo=UTC), datetime(2011, 5, 30, tzinfo=UTC)),
    ],
)
def test_the_last_run_is_the_last_of_all_runs_where_a_change_of_the_clocks_takes_one_away(
    expression: str, zone: str, since: datetime, until: datetime
) -> None:
    every = [
        moment.astimezone(UTC)
        for moment in cron.starts(cron.parse(expression), since.astimezone(ZoneInfo(zone)), until)
    ]

    assert cron.latest(expression, zone, since, until) == max(every, default=None)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("expression", ["0 0 * * *", "0 0 1 6 *", "@every 1h"])
def test_the_last_run_is_found_from_the_first_year_to_the_last(expression: str, zone: str) -> None:
    since, until = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    found = cron.latest(expression, zone, datetime(9000, 1, 1, tzinfo=UTC), until)

    assert found is not None
    assert found.year == 9999
    assert cron.latest(expression, zone, since, datetime(1, 1, 1, 0, 30, tzinfo=UTC)) is None


@pytest.mark.parametrize("expression", ["* * * * *", "@every 1s"])
def test_the_last_run_of_a_job_that_always_runs_is_found_at_once_after_years(expression: str) -> None:
    since, until = datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 11, 3, 2, 20, tzinfo=UTC)

    assert cron.latest(expression, "UTC", since, until) == until


def _on(expression: str, *days: date) -> list[bool]:
    return [cron.times(expression).on(day) for day in days]


def test_a_day_of_the_month_and_one_of_the_week_are_an_or_and_what_stands_for_any_is_none() -> None:
    sunday_the_1st, monday_the_2nd, sunday_the_8th = date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 8)
    days = sunday_the_1st, monday_the_2nd, sunday_the_8th
    assert _on("0 0 1 * 0", *days) == [True, False, True]
    assert _on("0 0 2 * 0", *days) == [True, True, True]
    for anything in "*?":
        assert _on(f"0 0 1 * {anything}", *days) == [True, False, False]
        assert _on(f"0 0 {anything} * 0", *days) == [True, False, True]
    assert _on("0 0 * * ?", *days) == [True, True, True]


def test_a_step_restricts_a_day_and_joins_the_other_by_or() -> None:
    tuesday_the_3rd, monday_the_2nd, wednesday_the_4th = date(2026, 11, 3), date(2026, 11, 2), date(2026, 11, 4)
    assert _on("0 0 */2 * 1", tuesday_the_3rd, monday_the_2nd, wednesday_the_4th) == [True, True, False]


def _days(expression: str, zone: str, since: datetime, count: int) -> list[str]:
    found = cron.starts(cron.parse(expression), since.astimezone(ZoneInfo(zone)), _FAR)
    return [f"{moment:%d %H:%M %z}" for moment in islice(found, count)]


def test_a_time_that_clocks_leave_out_starts_nothing_and_one_that_comes_twice_starts_once_or_twice() -> None:
    spring, autumn = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert _days("30 2 * * *", "Europe/Berlin", spring, 2) == ["30 02:30 +0200", "31 02:30 +0200"]
    assert _days("30 2 * * *", "Europe/Berlin", autumn, 3) == ["25 02:30 +0200", "25 02:30 +0100", "26 02:30 +0100"]


def test_a_day_that_a_zone_left_out_is_passed() -> None:
    assert _days("0 0 * * 5,6", "Pacific/Apia", datetime(2011, 12, 29, tzinfo=UTC), 1) == ["31 00:00 +1400"]


def test_what_names_no_time_has_none() -> None:
    with pytest.raises(ValueError, match="names no time"):
        cron.times("@every 1h")
