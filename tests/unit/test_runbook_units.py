"""Sizes and durations. What Go reads as a duration is in tests/oracles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook import units


@pytest.mark.parametrize(
    ("text", "number"),
    [("4Gi", 4 * 2**30), ("512Mi", 2**29), ("1.5Ki", 1536), ("1e3", 1000), ("2", 2), ("1k", 1000), ("0.1m", 1)],
)
def test_bytes_are_read_as_kubernetes_reads_them(text: str, number: int) -> None:
    assert units.to_bytes(text) == number


@pytest.mark.parametrize(("text", "number"), [("250m", 250), ("1", 1000), ("0.5", 500), ("1.0001", 1001)])
def test_cores_are_read_in_thousandths_and_rounded_up(text: str, number: int) -> None:
    assert units.to_millicores(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "Gi", "4GiB", "4 Gi", "four", "1e", "--1", "1Mi2", "5Gi\n", " 5Gi", "\u0665Gi", "1e\u0663", "inf", "nan"],
)
def test_what_is_no_quantity_is_refused_by_name(text: str) -> None:
    with pytest.raises(units.QuantityError, match="no quantity"):
        units.quantity(text)


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_a_quantity_error(text: str) -> None:
    try:
        units.quantity(text)
    except units.QuantityError:
        return


@pytest.mark.parametrize(
    "text",
    ["", "1", "1h\n", " 1h", "\u0663h", "1.5h", "-1h", "9" * 400 + "ms", "9" * 5000 + "s"],
    ids=lambda text: text[:9],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        units.seconds(text)


@pytest.mark.parametrize("text", ["300y", "99999999999d"])
def test_a_duration_that_go_does_not_hold_is_refused_as_too_long(text: str) -> None:
    with pytest.raises(units.TooLongError, match="is longer than the 292 years"):
        units.seconds(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("1500ms", 1.5), ("292y", 292 * 31_536_000)]
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert units.seconds(text) == seconds
