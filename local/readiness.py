"""Waits until the system runs: every pod ready, every autoscaler at its least replicas."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from local.errors import LocalError
from local.kubectl import Kubectl

POLL_SECONDS = 1.0


def missing(
    pods: list[dict[str, Any]], deployments: list[dict[str, Any]], autoscalers: list[dict[str, Any]]
) -> list[str]:
    """What is not there yet, one line each; empty when the system runs."""
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in autoscalers}
    awaited = [pod for pod in pods if not _settled(pod) and not _without_room(pod, scaled)]
    lines = [f"pod {pod['metadata']['name']} is not ready: {_why(pod)}" for pod in awaited]
    available = {item["metadata"]["name"]: item.get("status", {}).get("availableReplicas", 0) for item in deployments}
    for scaler in autoscalers:
        name, least = scaler["spec"]["scaleTargetRef"]["name"], scaler["spec"]["minReplicas"]
        if available.get(name, 0) < least:
            lines.append(f"{name} has {available.get(name, 0)} of {least} pods")
    if not pods:
        lines.append("there are no pods")
    return lines


def _settled(pod: dict[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences", [])
    if pod["status"].get("phase") == "Succeeded" or any(owner["kind"] == "Job" for owner in owners):
        return True
    conditions = pod["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _without_room(pod: dict[str, Any], scaled: set[str]) -> bool:
    """A pod that no node takes and an autoscaler asked for: those that must run are counted by its least replicas."""
    conditions = pod["status"].get("conditions", [])
    unscheduled = any(item["type"] == "PodScheduled" and item["status"] == "False" for item in conditions)
    owners = {owner["name"].rpartition("-")[0] for owner in pod["metadata"].get("ownerReferences", [])}
    return unscheduled and bool(owners & scaled)


def _why(pod: dict[str, Any]) -> str:
    for status in pod["status"].get("containerStatuses", []):
        waiting = status.get("state", {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason', 'waiting')} ({waiting.get('message', 'no message')[:120]})"
    return pod["status"].get("phase", "unknown")


def wait(kubectl: Kubectl, namespace: str, seconds: float, say: Callable[[str], None]) -> int:
    """Waits until nothing is missing, and returns the number of pods.

    Raises:
        LocalError: something is still missing after ``seconds``.
    """
    deadline, said = time.monotonic() + seconds, ""
    while True:
        found = [kubectl.get(kind, f"--namespace={namespace}")["items"] for kind in ("pods", "deployments", "hpa")]
        lines = missing(*found)
        if not lines:
            return len(found[0])
        if time.monotonic() > deadline:
            raise LocalError(f"after {seconds:.0f} s {lines[0]}; look with: kubectl get pods -n {namespace}")
        summary = f"waiting for {len(lines)} more, the first: {lines[0]}"
        if summary != said:
            say(summary)
            said = summary
        time.sleep(POLL_SECONDS)
