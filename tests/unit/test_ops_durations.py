"""Durations as people type them."""

from __future__ import annotations

import pytest

from scripts import durations
from scripts.exits import UsageError


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("366d", durations.YEAR)])
def test_a_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "-1h", "1h\n", "\u0663h", "soon", "9" * 400 + "ms"])
def test_what_is_none_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="is no duration; write it like"):
        durations.seconds(text)


@pytest.mark.parametrize("text", ["0s", "999ms"])
def test_what_is_less_than_a_second_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match=f"'{text}' is less than a second; give at least 1s"):
        durations.seconds(text)


@pytest.mark.parametrize("text", ["367d", "2y", "2562047h", "31622401s", "300y", "99999999999d"])
def test_what_is_longer_than_a_year_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="is more than a year; give at most 366d"):
        durations.seconds(text)
