"""What tests ask the running system."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

from tests.cluster.environment import Environment
from tests.waiting import wait_until

NAMESPACE = "--namespace=crypto"


def running_pods(system: Environment) -> list[dict[str, Any]]:
    """The pods of the system, without those of jobs."""
    pods = system.get("pods", NAMESPACE)["items"]
    return [pod for pod in pods if not any(owner["kind"] == "Job" for owner in pod["metadata"]["ownerReferences"])]


def counts(system: Environment) -> dict[str, int]:
    """Rows of the tables that tests look at."""
    return {table: int(system.sql(f"SELECT count(*) FROM {table}")) for table in ("users", "prices")}  # noqa: S608


def result(output: str) -> dict[str, Any]:
    """The one line of result in what ``ops --json`` said; its log lines have no exit code."""
    results = [line for line in output.splitlines() if '"exit":' in line]
    assert len(results) == 1, output
    return json.loads(results[0])


def no_drift(system: Environment) -> None:
    """A refresh finds the cluster as declared, once no Deployment is on its way: the provider calls that unhealthy."""

    def settled() -> bool:
        deployments = system.get("deployments", NAMESPACE)["items"]
        states = [item["status"].get("availableReplicas", 0) == item["spec"]["replicas"] for item in deployments]
        return bool(states) and all(states)

    wait_until(settled, "every Deployment has the pods that its autoscaler asks for", 420)
    system.ok("pulumi", "preview", "--stack=local", "--refresh", "--expect-no-changes", "--non-interactive")


def run_job(system: Environment, cron_job: str, name: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Runs a CronJob now, and returns what ``ops`` said; its exit code is one of ``codes``."""
    start_job(system, cron_job, name)
    return said_by_job(system, name, codes)


def start_job(system: Environment, cron_job: str, name: str) -> None:
    """Starts a run of a CronJob."""
    system.ok("kubectl", "create", "job", NAMESPACE, f"--from=cronjob/{cron_job}", name)


def said_by_job(system: Environment, name: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Waits until a run ends, and returns what ``ops`` said; its exit code is one of ``codes``."""

    def ended() -> bool:
        conditions = system.get("job", name, NAMESPACE)["status"].get("conditions", [])
        return any(item["type"] in ("Complete", "Failed") and item["status"] == "True" for item in conditions)

    wait_until(ended, f"the job {name} ends", 180)
    said = result(system.ok("kubectl", "logs", NAMESPACE, f"job/{name}"))
    assert said["exit"] in codes, said
    return said


def backup_ids(system: Environment) -> list[str]:
    """The backups in the bucket, the newest first."""
    return [backup["id"] for backup in result(system.ok("ops", "backups", "list", "--json"))["backups"]]


def prometheus(system: Environment, path: str, **query: str) -> Any:
    """The answer of Prometheus' HTTP API, asked at its pod."""
    pod = system.get("pod", "prometheus-main-0", "--namespace=monitoring")
    url = f"http://{pod['status']['podIP']}:9090/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]
