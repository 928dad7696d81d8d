"""Waits until the system runs: every pod ready, every autoscaler at its least replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local import waiting
from local.kubectl import Kubectl
from local.patience import Patience
from local.pods import CpuSeconds, Watcher, is_ready, no_cpu_seconds
from local.waiting import Missing


def missing(
    pods: list[dict[str, Any]], deployments: list[dict[str, Any]], autoscalers: list[dict[str, Any]], watcher: Watcher
) -> list[Missing]:
    """What is not there yet; empty when the system runs."""
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in autoscalers}
    awaited = [pod for pod in pods if not _settled(pod) and not _without_room(pod, scaled)]
    found = [watcher.missing(pod) for pod in awaited]
    available = {item["metadata"]["name"]: item.get("status", {}).get("availableReplicas", 0) for item in deployments}
    for scaler in autoscalers:
        name, least = scaler["spec"]["scaleTargetRef"]["name"], scaler["spec"]["minReplicas"]
        if available.get(name, 0) < least:
            found.append(Missing(name, f"{name} has {available.get(name, 0)} of {least} pods", available.get(name, 0)))
    if not pods:
        found.append(Missing("pods", "there are no pods", None))
    return found


def _settled(pod: dict[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences", [])
    if pod["status"].get("phase") == "Succeeded" or any(owner["kind"] == "Job" for owner in owners):
        return True
    return is_ready(pod)


def _without_room(pod: dict[str, Any], scaled: set[str]) -> bool:
    """A pod that no node takes and an autoscaler asked for: those that must run are counted by its least replicas."""
    conditions = pod["status"].get("conditions", [])
    unscheduled = any(item["type"] == "PodScheduled" and item["status"] == "False" for item in conditions)
    owners = {owner["name"].rpartition("-")[0] for owner in pod["metadata"].get("ownerReferences", [])}
    return unscheduled and bool(owners & scaled)


def wait(
    kubectl: Kubectl,
    namespace: str,
    say: Callable[[str], None],
    cpu_seconds: CpuSeconds = no_cpu_seconds,
    patience: Patience | None = None,
) -> int:
    """Waits until nothing is missing, and returns the number of pods.

    Raises:
        LocalError: a pod has no hope, or nothing has moved for the time that `waiting` gives pods.
    """
    watcher = Watcher(kubectl, cpu_seconds)
    pods = 0

    def look() -> list[Missing]:
        nonlocal pods
        found, deployments, autoscalers = (
            kubectl.get(kind, f"--namespace={namespace}")["items"] for kind in ("pods", "deployments", "hpa")
        )
        pods = len(found)
        return missing(found, deployments, autoscalers, watcher)

    waiting.await_all(look, say, f"--namespace={namespace}", patience or waiting.patience())
    return pods
