"""Space on the data volumes, as the kubelets measure it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from runbook import thresholds
from runbook.ops_settings import OpsSettings
from runbook.units import size
from scripts.clients import kubernetes
from scripts.exits import OpsError
from scripts.health.model import Check, Finding, Status, ratio


def checks(settings: OpsSettings) -> list[Check]:
    """One check with a finding for each volume."""
    return [Check("volumes", partial(_look, settings.namespace))]


def _look(namespace: str, timeout: float) -> Sequence[Finding]:
    try:
        with kubernetes.connect(timeout) as cluster:
            pods = list(cluster.items(f"/api/v1/namespaces/{namespace}/pods"))
            nodes = sorted({pod["spec"]["nodeName"] for pod in pods if pod.get("spec", {}).get("nodeName")})
            answers = {node: _summary(cluster, node) for node in nodes}
    except kubernetes.ForbiddenError as error:
        return [Finding("volumes", Status.UNKNOWN, detail=f"{error}; it needs list on pods and get on nodes/proxy")]
    return [
        *judge(namespace, [answer for answer in answers.values() if not isinstance(answer, OpsError)]),
        *(_unread(node, answer) for node, answer in answers.items() if isinstance(answer, OpsError)),
    ]


def _summary(cluster: kubernetes.Cluster, node: str) -> Any:
    """What a node's kubelet measures, or why it does not say: one node hides no other's volumes."""
    try:
        return cluster.get(f"/api/v1/nodes/{node}/proxy/stats/summary")
    except kubernetes.ForbiddenError:
        raise
    except OpsError as error:
        return error


def _unread(node: str, error: OpsError) -> Finding:
    # A virtual node has no kubelet that measures; one that does not answer is a failure.
    status = Status.UNKNOWN if isinstance(error, kubernetes.NotFoundError) else Status.FAIL
    return Finding(f"volumes of node {node}", status, detail=str(error))


def judge(namespace: str, summaries: Iterable[Any]) -> list[Finding]:
    """A finding for each claimed volume of the namespace; two pods that share one give one."""
    volumes: dict[str, Any] = {}
    for summary in summaries:
        for volume in _claimed(summary):
            claim: Any = volume["pvcRef"]
            if claim.get("namespace") == namespace and volume.get("capacityBytes"):
                volumes[claim["name"]] = volume
    if not volumes:
        return [Finding("volumes", Status.UNKNOWN, detail="the kubelets report no figures for claimed volumes")]
    return [_volume(name, volume) for name, volume in sorted(volumes.items())]


def _claimed(summary: Any) -> list[Any]:
    pods: list[Any] = summary.get("pods") or []
    volumes: list[list[Any]] = [pod.get("volume") or [] for pod in pods]
    return [volume for listed in volumes for volume in listed if volume.get("pvcRef")]


def _volume(name: str, volume: Any) -> Finding:
    # What the file system keeps for root is neither used nor free: what counts is what can still be written.
    capacity, free = int(volume["capacityBytes"]), int(volume.get("availableBytes", 0))
    used = int(volume.get("usedBytes", 0))
    status, value, limit = ratio(used, used + free or capacity, thresholds.DISK_USAGE_RATIO.value)
    return Finding(f"volume {name}", status, value, limit, f"{size(free)} of {size(capacity)} free")
