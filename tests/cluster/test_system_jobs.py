"""The scheduled jobs, each run once in the cluster under its own rights, its own network policy and its own image."""

from __future__ import annotations

import pytest

from local.cluster.layout import Layout
from runbook import jobs, services
from tests.cluster.environment import Environment
from tests.cluster.observing import NAMESPACE, run_job

# Those last can answer "not good" on a system that is minutes old: an hour's figures need an hour, and where the clock
# has run the log review before, an error since is new.
_PROVEN_ELSEWHERE = {"backup-postgres", "health-check", "peak-start", "peak-end"}
_CHAINED = {"backup-redis", "backup-resources", "backup-verify", "backup-prune", "restore-drill"}
_FINDS_SOMETHING = {"log-review", "slo-check"}
# What one node of 24 GiB has room for, where that is less than the runbook's peak (Pulumi.local.yaml).
_FITTING = {"sentiment": 4}


def test_the_peak_begins_and_ends_by_its_jobs(system: Environment) -> None:
    def replicas(bound: str) -> dict[str, int]:
        scalers = [system.get("hpa", spec.name, NAMESPACE) for spec in services.SCALED_AT_PEAK]
        return {scaler["metadata"]["name"]: scaler["spec"][bound] for scaler in scalers}

    run_job(system, "peak-start", "j-peak-start")
    assert replicas("minReplicas") == replicas("maxReplicas")
    assert replicas("minReplicas") == {spec.name: spec.replicas.peak for spec in services.SCALED_AT_PEAK} | _FITTING
    run_job(system, "peak-end", "j-peak-end")
    assert replicas("minReplicas") == {spec.name: spec.replicas.normal for spec in services.SCALED_AT_PEAK}


def test_the_nights_backups_are_proven_and_a_drill_restores_them(system: Environment) -> None:
    run_job(system, "backup-postgres", "j-backup-postgres")
    assert run_job(system, "backup-redis", "j-backup-redis")["encrypted"] is True
    assert run_job(system, "backup-resources", "j-backup-resources")["encrypted"] is True
    proven = run_job(system, "backup-verify", "j-backup-verify")["backups"]
    assert {entry["kind"] for entry in proven if entry["proven"]} == {"postgres", "redis", "resources"}
    drill = run_job(system, "restore-drill", "j-restore-drill")
    assert drill["passed"] is True
    assert drill["signed"] is True
    run_job(system, "backup-prune", "j-backup-prune")


@pytest.mark.parametrize(
    "name", [job.name for job in jobs.ALL if job.name not in _PROVEN_ELSEWHERE | _CHAINED | _FINDS_SOMETHING]
)
def test_a_job_does_its_work_with_its_own_rights(system: Environment, name: str) -> None:
    run_job(system, name, f"j-{name}")


@pytest.mark.parametrize("name", sorted(_FINDS_SOMETHING))
def test_a_job_that_finds_something_says_so_and_is_not_retried(system: Environment, name: str) -> None:
    said = run_job(system, name, f"j-{name}", codes=(0, 1))
    assert "error" not in said


def test_no_job_was_refused_a_connection(system: Environment) -> None:
    run = system.get("jobs", NAMESPACE)["items"]
    assert len(run) >= len(jobs.ALL) - len(_PROVEN_ELSEWHERE)
    log = Layout.of(system.instance).log_file("network-policies").read_text()
    assert [line for line in log.splitlines() if "refused: crypto/j-" in line] == []
