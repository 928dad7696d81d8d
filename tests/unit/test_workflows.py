"""The workflows: no action by a movable name, no right that a job does not need, no logic that does not run here."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import workflows
from local.errors import LocalError

_ROOT = Path(__file__).resolve().parents[2]
_FILES = sorted((_ROOT / ".github" / "workflows").glob("*.yml"))
# The jobs that may write, each with what it says why for.
_WRITES = {
    "verdict.yml": {"tell": {"pull-requests", "statuses"}, "findings": {"security-events"}},
}


def _jobs(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())["jobs"]


def test_there_are_workflows() -> None:
    assert {path.name for path in _FILES} >= {"preview.yml", "supply-chain.yml", "test.yml", "verdict.yml"}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_which_tag_that_was(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if re.match(r"\s*(?:- )?uses:", line)]
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


_CARELESS = """
on: pull_request_target
jobs:
  x:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
        with: {ref: "${{ github.event.pull_request.head.sha }}"}
      - run: echo "${{ github.event.pull_request.title }}"
"""


def test_a_careless_workflow_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "careless.yml").write_text(_CARELESS)
    program = Path(sys.executable).with_name(workflows.ZIZMOR)
    assert workflows.judge(workflows.ZIZMOR, program, tmp_path) == 1
    found = capfd.readouterr().out
    for audit in ("dangerous-triggers", "template-injection", "unpinned-uses", "artipacked", "excessive-permissions"):
        assert audit in found
    assert workflows.judge(workflows.ZIZMOR, program, workflows.FOLDER) == 0


def test_a_folder_without_a_workflow_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="has no workflow"):
        workflows.judge(workflows.ZIZMOR, tmp_path, tmp_path)


def test_only_the_verdict_runs_with_the_rights_of_the_main_branch() -> None:
    """PyYAML takes ``on`` for a truth."""
    triggers = {path.name: set(yaml.safe_load(path.read_text())[True]) for path in _FILES}
    assert {name for name, found in triggers.items() if found & {"pull_request_target", "workflow_run"}} == {
        "verdict.yml"
    }
    assert triggers["verdict.yml"] == {"workflow_run"}
    assert triggers["preview.yml"] == {"pull_request"}


def test_a_run_of_a_pull_request_can_write_nothing_and_has_no_secret() -> None:
    for path in _FILES:
        if "pull_request" in yaml.safe_load(path.read_text())[True]:
            assert path.name not in _WRITES
            assert "secrets." not in path.read_text()
            assert "github.token" not in path.read_text()


def test_what_reads_the_data_of_a_pull_request_can_write_nothing() -> None:
    jobs = _jobs(_ROOT / ".github/workflows/verdict.yml")
    reads = [name for name, job in jobs.items() if any(step.get("run") == "make verdict" for step in job["steps"])]
    assert reads == ["judge"]
    assert set(jobs["judge"]["permissions"].values()) == {"read"}
