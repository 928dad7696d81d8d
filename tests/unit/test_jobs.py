"""The jobs of the runbook and the operations program know one another."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from runbook import jobs, schedules
from runbook.jobs import Job
from scripts.cli import app


@pytest.mark.parametrize("job", jobs.ALL, ids=lambda job: job.name)
def test_ops_has_the_command_of_every_job_with_its_options(job: Job) -> None:
    words = [word for word in job.command if not word.startswith("--")]
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    for option in (word for word in job.command if word.startswith("--")):
        assert option in shown.output


def test_every_schedule_has_a_job() -> None:
    assert {job.schedule for job in jobs.ALL} == set(schedules.ALL)


def test_a_command_that_does_not_exist_is_refused() -> None:
    assert CliRunner().invoke(app, ["frobnicate", "--help"]).exit_code != 0
