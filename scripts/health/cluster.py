"""The Kubernetes API and the namespace's pods.

Pods are judged by readiness and waiting reasons: one in phase Running can be crash-looping.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from runbook.ops_settings import OpsSettings
from scripts.clients import kubernetes
from scripts.health.model import Check, Finding, Status


def checks(settings: OpsSettings) -> list[Check]:
    """The API server and the pods."""
    return [Check("kubernetes", _api), Check("pods", partial(_pods, settings.namespace))]


def _api(timeout: float) -> Sequence[Finding]:
    with kubernetes.connect(timeout) as cluster:
        cluster.get("/readyz")
        version = cluster.get("/version")["gitVersion"]
    return [Finding("kubernetes", Status.OK, str(version))]


def _pods(namespace: str, timeout: float) -> Sequence[Finding]:
    with kubernetes.connect(timeout) as cluster:
        pods = list(cluster.items(f"/api/v1/namespaces/{namespace}/pods"))
    return [judge(namespace, pods)]


def judge(namespace: str, pods: Iterable[Any]) -> Finding:
    """The finding on a namespace's pods; ended pods of Jobs do not count."""
    counted = [pod for pod in pods if not _ended(pod)]
    bad = sorted(f"{pod['metadata']['name']}: {reason}" for pod in counted if (reason := problem(pod)))
    if not counted:
        return Finding("pods", Status.FAIL, "0 ready", "all ready", f"namespace {namespace} has no running pod")
    status = Status.FAIL if bad else Status.OK
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    return Finding(
        "pods", status, f"{len(counted) - len(bad)} of {len(counted)} ready", "all ready", "; ".join(bad[:5]) + more
    )


def problem(pod: Any) -> str | None:
    """Why a pod does not serve, or None when it does."""
    status: Any = pod.get("status") or {}
    if reason := _waits(status):
        return reason
    if status.get("phase") == "Failed":
        return str(status.get("reason") or "Failed")
    listed: list[Any] = status.get("conditions") or []
    conditions: dict[str, Any] = {condition["type"]: condition for condition in listed}
    nothing: Any = {}
    ready, scheduled = conditions.get("Ready", nothing), conditions.get("PodScheduled", nothing)
    if ready.get("status") == "True" or _of_job(pod):
        return None
    blame = scheduled if scheduled.get("status") == "False" else ready
    return str(blame.get("message") or blame.get("reason") or f"not ready ({status.get('phase', 'unknown')})")


def _waits(status: Any) -> str | None:
    """What the first container that cannot start waits for."""
    initial: list[Any] = status.get("initContainerStatuses") or []
    regular: list[Any] = status.get("containerStatuses") or []
    for container in [*initial, *regular]:
        state: Any = container.get("state") or {}
        waiting: Any = state.get("waiting")
        # The containers of a starting pod wait with this reason while an init container tells the real one.
        if waiting and waiting.get("reason") != "PodInitializing":
            restarts = container.get("restartCount", 0)
            return f"{container['name']} {waiting.get('reason', 'waiting')} after {restarts} restarts"
    return None


def _of_job(pod: Any) -> bool:
    owners: list[Any] = pod["metadata"].get("ownerReferences") or []
    return any(owner.get("kind") == "Job" for owner in owners)


def _ended(pod: Any) -> bool:
    # What a Job's failed pod means is told by the Job's own alert; its pods stay for their logs.
    status: Any = pod.get("status") or {}
    phase = status.get("phase")
    return phase == "Succeeded" or (phase == "Failed" and _of_job(pod))
