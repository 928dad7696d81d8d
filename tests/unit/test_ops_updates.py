"""Which CronJobs the agenda of the monthly maintenance names. The rest of it: tests/services/test_ops_workloads.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.workloads import updates

_NOW = datetime(2026, 11, 3, tzinfo=UTC)


def _job(schedule: str) -> dict[str, Any]:
    return {"metadata": {"name": "j", "creationTimestamp": "2026-11-02T12:00:00Z"}, "spec": {"schedule": schedule}}


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 0 31 2 *", ["CronJob j: never starts: no date fits its schedule (0 0 31 2 *)"]),
        ("0 0 1 1 *", []),
        (
            "0 * * * *",
            ["CronJob j: never succeeded, and it runs every 1 h 0 min at the least (0 * * * *)"],
        ),
        ("0 0 * * 7", ["CronJob j: its schedule cannot be read: '7': give numbers from 0 to 6, rising"]),
    ],
)
def test_a_cron_job_that_is_late_never_starts_or_has_no_schedule_is_named(schedule: str, said: list[str]) -> None:
    assert updates.overdue([_job(schedule)], _NOW) == said
