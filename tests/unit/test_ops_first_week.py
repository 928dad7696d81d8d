"""Runs that are meant only in the first week of a month (defect 12)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from scripts import first_week, frame
from scripts.exits import UsageError
from scripts.output import Outcome, Screen

_ON = {first_week.VARIABLE: "1"}


def _utc() -> str:
    return "UTC"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "zone", "runs"),
    [
        ("2026-03-01T00:00:00Z", "UTC", True),
        ("2026-03-07T23:59:59Z", "UTC", True),
        ("2026-03-08T00:00:00Z", "UTC", False),
        ("2026-02-28T23:59:59Z", "UTC", False),
        # The same instant is another day elsewhere.
        ("2026-03-07T23:30:00Z", "Europe/Berlin", False),
        ("2026-02-28T23:30:00Z", "Europe/Berlin", True),
        ("2026-03-08T07:59:59Z", "America/Los_Angeles", True),
        ("2026-03-08T08:00:00Z", "America/Los_Angeles", False),
        ("2026-03-07T10:00:00Z", "Pacific/Kiritimati", False),
    ],
)
def test_the_first_week_ends_with_the_seventh_in_the_zone_that_counts(now: str, zone: str, runs: bool) -> None:
    by_settings = first_week.skipped(_ON, lambda: zone, _moment(now))
    by_variable = first_week.skipped(_ON | {first_week.ZONE_VARIABLE: zone}, _utc, _moment(now))

    assert by_settings == by_variable
    assert (by_settings is None) is runs


def test_what_is_skipped_says_which_day_it_is_where() -> None:
    reason = first_week.skipped(_ON, lambda: "Europe/Berlin", _moment("2026-03-07T23:30:00Z"))

    assert reason == "not in the first week of the month: nothing to do (today is 2026-03-08 in Europe/Berlin)"


@pytest.mark.parametrize("value", [None, "", "0"])
def test_without_the_variable_every_day_is_right(value: str | None) -> None:
    variables = {} if value is None else {first_week.VARIABLE: value}

    def never() -> str:
        raise AssertionError

    assert first_week.skipped(variables, never, _moment("2026-03-20T12:00:00Z")) is None


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({first_week.VARIABLE: "true"}, "OPS_FIRST_WEEK_ONLY='true': give 1"),
        (_ON | {first_week.ZONE_VARIABLE: "Europe/Berlinn"}, "'Europe/Berlinn' is no time zone"),
        (_ON | {first_week.ZONE_VARIABLE: "../etc/passwd"}, "is no time zone"),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        first_week.skipped(variables, _utc)


@pytest.mark.parametrize(("now", "runs"), [("2026-03-07T23:59:00Z", True), ("2026-03-08T00:00:00Z", False)])
def test_every_command_asks_before_it_does_anything(
    now: str, runs: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(first_week.VARIABLE, "1")
    monkeypatch.setenv(first_week.ZONE_VARIABLE, "UTC")
    monkeypatch.setattr(first_week, "datetime", _Clock(_moment(now)))
    did: list[str] = []

    def show(screen: Screen) -> None:
        screen.line("did it")

    def action() -> Outcome:
        did.append("it")
        return Outcome({}, show)

    with pytest.raises(typer.Exit) as ended:
        frame.run("updates", action, as_json=True, deadline=None)

    assert ended.value.exit_code == 0
    assert bool(did) is runs
    assert ("skipped" in json.loads(capsys.readouterr().out)) is not runs


def test_the_settings_zone_counts_where_no_other_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(first_week.VARIABLE, "1")
    monkeypatch.setenv("OPS_CONFIG", str(tmp_path / "nowhere.json"))

    with pytest.raises(typer.Exit) as ended:
        frame.run("updates", lambda: pytest.fail("it ran"), as_json=False, deadline=None)

    assert ended.value.exit_code == 2
    assert "nowhere.json" in capsys.readouterr().err


class _Clock:
    """``datetime`` with a fixed present."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self, _zone: object) -> datetime:
        return self._now
