"""The printed runbook is the data, and every link into it arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook import printed, quantity, schedules, thresholds
from runbook.sections import Section

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("section", list(Section), ids=lambda section: section.anchor)
def test_every_section_has_its_anchor_once(section: Section) -> None:
    assert printed.markdown().count(f'<a id="{section.anchor}"></a>') == 1


def test_every_threshold_and_schedule_is_printed() -> None:
    page = printed.markdown()
    names = [item.name for item in (*thresholds.ALL, *schedules.ALL)]
    assert len(names) > 20
    assert not [name for name in names if f"| {name} |" not in page]


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (thresholds.API_ERROR_RATIO, "1%"),
        (thresholds.SLO_ERROR_RATIO, "0.5%"),
        (thresholds.LATENCY_P95, "200 ms"),
        (thresholds.IDLE_CONNECTION_AGE, "30 min"),
        (thresholds.POOL_TIMEOUT, "10 s"),
        (thresholds.SLOW_QUERY, "500 ms"),
        (thresholds.SERVICE_MEMORY, "1 GB"),
        (thresholds.SENTIMENT_MEMORY_LIMIT, "8 GiB"),
        (thresholds.BACKUP_RETENTION, "30 days"),
        (thresholds.KAFKA_LAG, "10,000"),
    ],
)
def test_a_value_is_printed_as_people_write_it(threshold: thresholds.Threshold, text: str) -> None:
    assert printed.value(threshold) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1, "1 B"), (1536, "1536 B"), (2048, "2 KiB"), (3000, "3 kB")]
)
def test_bytes_are_printed_without_rounding(number: int, text: str) -> None:
    assert quantity.human_bytes(number) == text
