"""Watches rollouts of Deployments, and says in one line why one does not get on.

The rolling update itself keeps the service up: old pods leave only as new ones become ready, and a drain in the
meantime has to honour the disruption budgets.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from runbook.units import duration
from scripts import log
from scripts.clients.kubernetes import Cluster
from scripts.exits import CheckFailedError, OpsError, TemporaryError
from scripts.health.cluster import problem
from scripts.progress import Waiting
from scripts.workloads import deployments

# The time after which Kubernetes itself calls a rollout stuck (progressDeadlineSeconds).
SECONDS: Final = 600.0
_POLL_SECONDS: Final = 2.0
_SHOWN_PODS: Final = 3


class RolloutError(CheckFailedError):
    """A rollout did not finish."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rollout is; ``stuck`` ones will not finish by waiting."""

    done: bool
    text: str
    stuck: bool = False


def judge(deployment: Any) -> Progress:
    """How far the rollout of a Deployment is: done when every pod is of the newest template and available."""
    spec: Any = deployment["spec"]
    status: Any = deployment.get("status") or {}
    wanted = int(spec.get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < int(deployment["metadata"].get("generation", 0)):
        return Progress(done=False, text="the change is not yet seen by the controller")
    if spec.get("paused"):
        metadata = deployment["metadata"]
        resume = f"kubectl -n {metadata.get('namespace')} rollout resume deployment/{metadata.get('name')}"
        return Progress(done=False, text=f"the Deployment is paused (go on by: {resume})", stuck=True)
    listed: list[Any] = status.get("conditions") or []
    reasons = {str(condition["type"]): condition.get("reason") for condition in listed}
    stuck = reasons.get("Progressing") == "ProgressDeadlineExceeded"
    updated, available = int(status.get("updatedReplicas", 0)), int(status.get("availableReplicas", 0))
    if updated < wanted:
        return Progress(done=False, text=f"{updated} of {wanted} pods are new", stuck=stuck)
    if (old := int(status.get("replicas", 0)) - updated) > 0:
        return Progress(done=False, text=f"{old} old pods are not gone", stuck=stuck)
    if available < updated:
        return Progress(done=False, text=f"{available} of {updated} pods are available", stuck=stuck)
    return Progress(done=True, text=f"{available} pods are available")


def watch(cluster: Cluster, namespace: str, names: Sequence[str], seconds: float) -> None:
    """Wait until all these Deployments are rolled out, ``seconds`` at most for all of them.

    An API server that is away for a moment does not end the watch.

    Raises:
        RolloutError: one is not; the line says how far it came and what its pods wait for.
    """
    start = time.monotonic()
    waiting = dict.fromkeys(names, "not looked at yet")
    with Waiting("rolling out") as line:
        while True:
            for name in tuple(waiting):
                progress = _look(cluster, namespace, name)
                if progress.done:
                    del waiting[name]
                    log.info("rolled out", deployment=name, took=round(time.monotonic() - start, 1))
                    continue
                waiting[name] = progress.text
                if progress.stuck:
                    blame = _blame(cluster, namespace, name)
                    raise RolloutError(f"{name} cannot be rolled out: {progress.text}{blame}")
            if not waiting:
                return
            name, text = next(iter(waiting.items()))
            if time.monotonic() - start + _POLL_SECONDS > seconds:
                blame = _blame(cluster, namespace, name)
                raise RolloutError(f"{name} is not rolled out after {duration(seconds)}: {text}{blame}")
            line.tell(f"{name}: {text}")
            time.sleep(_POLL_SECONDS)


def _look(cluster: Cluster, namespace: str, name: str) -> Progress:
    try:
        return judge(deployments.read(cluster, namespace, name))
    except TemporaryError as error:
        return Progress(done=False, text=str(error))


def _blame(cluster: Cluster, namespace: str, name: str) -> str:
    """What the Deployment's pods wait for, to be added to a line; empty where nobody may look."""
    try:
        labels = deployments.read(cluster, namespace, name)["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = cluster.items(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector})
        reasons = sorted(f"{pod['metadata']['name']}: {reason}" for pod in pods if (reason := problem(pod)))
    except (OpsError, KeyError):
        return ""
    more = f"; and {len(reasons) - _SHOWN_PODS} more" if len(reasons) > _SHOWN_PODS else ""
    return "".join(f"; {reason}" for reason in reasons[:_SHOWN_PODS]) + more
