"""The workflows: no action by a movable name, no right that a job does not need, no logic that does not run here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).resolve().parents[2]
_FILES = sorted((_ROOT / ".github" / "workflows").glob("*.yml"))
_WRITES = {"preview.yml": {"publish": {"pull-requests", "security-events"}}}


def _jobs(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())["jobs"]


def test_there_are_workflows() -> None:
    assert {path.name for path in _FILES} >= {"preview.yml", "test.yml"}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_which_tag_that_was(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_a_job_has_only_the_rights_that_it_needs(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for name, job in _jobs(path).items():
        writes = {scope for scope, right in job["permissions"].items() if right == "write"}
        assert writes == _WRITES.get(path.name, {}).get(name, set()), name
        assert job["timeout-minutes"] <= 120


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_no_credentials_stay_in_the_checkout(path: Path) -> None:
    checkouts = [
        step for job in _jobs(path).values() for step in job["steps"] if "actions/checkout" in step.get("uses", "")
    ]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_a_step_only_calls_a_target_of_the_makefile(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [step["run"] for job in _jobs(path).values() for step in job["steps"] if "run" in step]
    assert commands
    for command in commands:
        called = re.fullmatch(r"(?:sudo --preserve-env=\S+ )?make ([a-z-]+)(?: [A-Z]+=\w+)?", command)
        assert called, command
        assert called[1] in targets, command
        assert "${{" not in command, "an expression in a script is text that somebody else writes"


def test_what_may_write_runs_no_code_of_the_pull_request() -> None:
    (publish,) = (job for name, job in _jobs(_ROOT / ".github/workflows/preview.yml").items() if name == "publish")
    assert "head.repo.full_name == github.repository" in publish["if"]
    assert publish["steps"][0]["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
