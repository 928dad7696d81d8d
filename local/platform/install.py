"""Brings the platform into the embedded cluster and waits until it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from local.errors import LocalError
from local.kubectl import Kubectl
from local.paths import Instance
from local.platform.manifests import manifests
from local.platform.names import NAMESPACES
from local.platform.objects import Manifest

POLL_SECONDS = 0.5
# From an empty cluster it takes some 20 s on an idle machine; compilers may be at work beside it.
READY_SECONDS = 300.0

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
    kubectl: Kubectl, instance: Instance, images: Mapping[str, str], say: Callable[[str], None], seconds: float
) -> None:
    """Waits until every controller and server runs as it was applied.

    Raises:
        LocalError: something does not after ``seconds``; names the first.
    """
    wanted = watched(manifests(instance, images))
    deadline, said = time.monotonic() + seconds, ""
    while lines := missing(wanted, present(kubectl)):
        if time.monotonic() > deadline:
            raise LocalError(
                f"after {seconds:.0f} s {lines[0]}; look with: kubectl get pods -n {lines[0].split('/')[0]}"
            )
        summary = f"waiting for {len(lines)} more, the first: {lines[0]}"
        if summary != said:
            say(summary)
            said = summary
        time.sleep(POLL_SECONDS)


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
