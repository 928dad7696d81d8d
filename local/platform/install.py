"""Brings the platform into the embedded cluster and waits until it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from local import waiting
from local.kubectl import Kubectl
from local.paths import Instance
from local.patience import Patience
from local.platform.manifests import manifests
from local.platform.names import NAMESPACES
from local.platform.objects import Manifest
from local.pods import CpuSeconds, Watcher, is_ready, no_cpu_seconds
from local.waiting import Missing

_WATCHED = ("deployments", "daemonsets", "prometheuses", "alertmanagers")

Key = tuple[str, str, str]
"""Kind, namespace, name."""


def apply(kubectl: Kubectl, instance: Instance, images: Mapping[str, str]) -> None:
    """Applies every object; harmless where they are there.

    Raises:
        LocalError: the cluster refused something.
    """
    kubectl.apply(manifests(instance, images))


def wait(
    kubectl: Kubectl,
    instance: Instance,
    images: Mapping[str, str],
    say: Callable[[str], None],
    cpu_seconds: CpuSeconds = no_cpu_seconds,
    patience: Patience | None = None,
) -> None:
    """Waits until every controller and server runs as it was applied.

    Raises:
        LocalError: a pod has no hope, or nothing has moved for the time that `waiting` gives pods.
    """
    wanted = watched(manifests(instance, images))
    watcher = Watcher(kubectl, cpu_seconds)

    def look() -> list[Missing]:
        found = present(kubectl)
        lines = missing(wanted, found)
        if not lines:
            return []
        statuses = {"/".join(key(item)[1:]): repr(item.get("status")) for item in found}
        pods = [pod for space in NAMESPACES for pod in kubectl.get("pods", f"--namespace={space}")["items"]]
        names = (line.split(":")[0] for line in lines)
        parts = [Missing(name, line, statuses.get(name)) for name, line in zip(names, lines, strict=True)]
        return [*(watcher.missing(pod) for pod in pods if not is_ready(pod)), *parts]

    waiting.await_all(look, say, "--all-namespaces", patience or waiting.patience())


def present(kubectl: Kubectl) -> list[Manifest]:
    """What the cluster has of the kinds that are waited for."""
    items: list[Manifest] = kubectl.get(",".join(_WATCHED), "--all-namespaces")["items"]
    return [item for item in items if item["metadata"]["namespace"] in NAMESPACES]


def unsettled(found: Iterable[Manifest]) -> list[str]:
    """Those of the objects that do not run in their present form, one line each."""
    items = list(found)
    return missing([key(item) for item in items], items)


def key(item: Manifest) -> Key:
    """What an object is called."""
    return item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]


def watched(items: Iterable[Manifest]) -> list[Key]:
    """Those objects whose pods are waited for."""
    kinds = {"Deployment", "DaemonSet", "Prometheus", "Alertmanager"}
    return [key(item) for item in items if item["kind"] in kinds]


def missing(wanted: Sequence[Key], found: Iterable[Manifest]) -> list[str]:
    """What does not run yet, one line each, beginning with namespace/name; empty when all runs as it was applied."""
    by_key = {key(item): item for item in found}
    lines: list[str] = []
    for kind, space, name in wanted:
        item = by_key.get((kind, space, name))
        if item is None:
            lines.append(f"{space}/{name}: there is no such {kind}")
        elif not _runs(item):
            lines.append(f"{space}/{name}: the {kind} has no ready pod of its present form")
    return lines


def _runs(item: Manifest) -> bool:
    status: dict[str, Any] = item.get("status", {})
    match item["kind"]:
        case "Deployment":
            pods = (status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas"))
            return _observed(item, status) and set(pods) == {item["spec"]["replicas"]}
        case "DaemonSet":
            pods = (status.get(count, 0) for count in ("updatedNumberScheduled", "numberReady"))
            desired = status.get("desiredNumberScheduled", 0)
            return _observed(item, status) and desired > 0 and set(pods) == {desired}
        case _:
            conditions = status.get("conditions", [])
            available = (entry for entry in conditions if entry["type"] == "Available" and entry["status"] == "True")
            return any(_observed(item, entry) for entry in available)


def _observed(item: Manifest, holder: Mapping[str, Any]) -> bool:
    """Whether a status speaks of the object's present form."""
    return holder.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
