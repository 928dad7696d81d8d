"""The scheduled jobs, each run once in the cluster under its own rights, its own network policy and its own image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.cluster.layout import Layout
from runbook import jobs, services, units
from tests.cluster import memory
from tests.cluster.environment import Environment
from tests.cluster.observing import NAMESPACE, run_job, said_by_job, start_job

_PROVEN_ELSEWHERE = {"health-check", "peak-start", "peak-end"}
_BACKUPS = {"backup-postgres", "backup-redis", "backup-resources"}
_AFTER_BACKUPS = {"backup-verify", "backup-prune", "restore-drill"}
_RESTARTS = {"jwt-rotation", "weekly-maintenance", "monthly-maintenance"}
# They can answer "not good" on a system that is minutes old: an hour's figures need an hour, and where the clock has
# run the log review before, an error since is new.
_FINDS_SOMETHING = {"log-review", "slo-check"}
# What one node of 24 GiB has room for, where that is less than the runbook's peak (Pulumi.local.yaml).
_FITTING = {"sentiment": 4}

# What a job must leave of its limit: the real data is larger than the example.
_SHARE_OF_LIMIT = 0.75


@pytest.fixture(scope="module", autouse=True)
def watch(system: Environment) -> Iterator[memory.Watch]:
    watching = memory.Watch(system.instance)
    watching.start()
    yield watching
    watching.end()


def test_the_peak_begins_and_ends_by_its_jobs(system: Environment) -> None:
    def replicas(bound: str) -> dict[str, int]:
        scalers = [system.get("hpa", spec.name, NAMESPACE) for spec in services.SCALED_AT_PEAK]
        return {scaler["metadata"]["name"]: scaler["spec"][bound] for scaler in scalers}

    run_job(system, "peak-start", "j-peak-start")
    assert replicas("minReplicas") == replicas("maxReplicas")
    assert replicas("minReplicas") == {spec.name: spec.replicas.peak for spec in services.SCALED_AT_PEAK} | _FITTING
    run_job(system, "peak-end", "j-peak-end")
    assert replicas("minReplicas") == {spec.name: spec.replicas.normal for spec in services.SCALED_AT_PEAK}


@pytest.fixture(scope="module")
def started(system: Environment) -> set[str]:
    """Runs that work beside one another: all but those which wait for others or restart what others use."""
    names = {job.name for job in jobs.ALL} - _PROVEN_ELSEWHERE - _AFTER_BACKUPS - _RESTARTS
    assert names > _BACKUPS | _FINDS_SOMETHING
    for name in sorted(names):
        start_job(system, name, f"j-{name}")
    return names


def _said(system: Environment, started: set[str], name: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    if name not in started:
        start_job(system, name, f"j-{name}")
    return said_by_job(system, f"j-{name}", codes)


def test_the_nights_backups_are_proven_and_a_drill_restores_them(system: Environment, started: set[str]) -> None:
    _said(system, started, "backup-postgres")
    assert _said(system, started, "backup-redis")["encrypted"] is True
    assert _said(system, started, "backup-resources")["encrypted"] is True
    proven = _said(system, started, "backup-verify")["backups"]
    assert {entry["kind"] for entry in proven if entry["proven"]} == {"postgres", "redis", "resources"}
    drill = _said(system, started, "restore-drill")
    assert drill["passed"] is True
    assert drill["signed"] is True
    compared = {kind["kind"]: set(kind["compared"]) for kind in drill["kinds"]}
    assert {"schema", "rows and checksums of tables", "properties and rights of the database"} <= compared["postgres"]
    assert all(compared.values())
    _said(system, started, "backup-prune")


@pytest.mark.parametrize(
    "name",
    [job.name for job in jobs.ALL if job.name not in _PROVEN_ELSEWHERE | _BACKUPS | _AFTER_BACKUPS | _FINDS_SOMETHING],
)
def test_a_job_does_its_work_with_its_own_rights(system: Environment, started: set[str], name: str) -> None:
    _said(system, started, name)


@pytest.mark.parametrize("name", sorted(_FINDS_SOMETHING))
def test_a_job_that_finds_something_says_so_and_is_not_retried(
    system: Environment, started: set[str], name: str
) -> None:
    said = _said(system, started, name, (0, 1))
    assert "error" not in said


def test_each_job_leaves_a_quarter_of_its_memory_limit(system: Environment, watch: memory.Watch) -> None:
    pods = system.get("pods", NAMESPACE, "--selector=job-name")["items"]
    judged = 0
    for pod in pods:
        name = pod["metadata"]["labels"]["job-name"]
        if name.startswith("j-"):
            limit = units.to_bytes(pod["spec"]["containers"][0]["resources"]["limits"]["memory"])
            peak = watch.peaks[pod["metadata"]["uid"]]
            print(f"{name.removeprefix('j-'):24}{units.size(peak)} of {units.size(limit)}")
            assert 0 < peak <= _SHARE_OF_LIMIT * limit
            judged += 1
    assert judged >= len(jobs.ALL) - len(_PROVEN_ELSEWHERE)


def test_no_job_was_refused_a_connection(system: Environment) -> None:
    run = system.get("jobs", NAMESPACE)["items"]
    assert len(run) >= len(jobs.ALL) - len(_PROVEN_ELSEWHERE)
    log = Layout.of(system.instance).log_file("network-policies").read_text()
    assert [line for line in log.splitlines() if "refused: crypto/j-" in line] == []
