"""Builders of the objects that every controller needs, as plain manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local.platform.names import RELEASE

Manifest = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
NAME_LABEL = "app.kubernetes.io/name"


def metadata(name: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> Manifest:
    """Metadata with the label of the name; ``namespace`` is None for what belongs to the cluster."""
    found: Manifest = {"name": name, "labels": {NAME_LABEL: name, **(labels or {})}}
    return found if namespace is None else {**found, "namespace": namespace}


def namespace(name: str, pod_security: str) -> Manifest:
    """A namespace that enforces a level of Pod Security."""
    labels = {"pod-security.kubernetes.io/enforce": pod_security}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def rule(groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str]) -> Manifest:
    """One rule of a role."""
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}


def account(name: str, space: str, rules: Sequence[Manifest]) -> list[Manifest]:
    """A ServiceAccount that may do this in the whole cluster."""
    role = f"platform:{name}"
    # The colon may stand in the name of a role, and not in a label.
    of_role = {**metadata(name), "name": role}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, space)},
        {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": of_role, "rules": list(rules)},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": of_role,
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": space}],
        },
    ]


def pod_security(user: int) -> Manifest:
    """The securityContext of a pod under Pod Security `restricted`."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container(
    name: str,
    image: str,
    command: Sequence[str],
    ports: Mapping[str, int],
    memory: str,
    ready: Manifest,
    **more: object,
) -> Manifest:
    """A container without privileges and with a read-only root file system; ``ready`` is its readiness probe.

    ``memory`` is request and limit. There is no limit of CPU: a throttled controller looks like a broken one.
    """
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "ports": [{"name": port, "containerPort": number} for port, number in ports.items()],
        "resources": {"requests": {"cpu": "10m", "memory": memory}, "limits": {"memory": memory}},
        "readinessProbe": {"periodSeconds": 2, "timeoutSeconds": 3, **ready},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **more,
    }


def http_probe(path: str, port: str) -> Manifest:
    """Ready when this answers."""
    return {"httpGet": {"path": path, "port": port}}


def workload(kind: str, name: str, space: str, pod: Manifest, annotations: Mapping[str, str] | None = None) -> Manifest:
    """A Deployment of one pod, or a DaemonSet."""
    labels = {NAME_LABEL: name}
    spec: Manifest = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels, "annotations": dict(annotations or {})},
            # A Service named like a variable that a program reads must not reach it through the environment.
            "spec": {"enableServiceLinks": False, **pod},
        },
    }
    if kind == "Deployment":
        # The old pod goes first: none of these programs may run twice without a leader election, or share a host port.
        spec |= {"replicas": 1, "revisionHistoryLimit": 1, "strategy": {"type": "Recreate"}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(name, space), "spec": spec}


def service(name: str, space: str, ports: Mapping[str, int], selector: Mapping[str, str], **more: object) -> Manifest:
    """A Service whose ports bear the names of the containers' ports."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, space),
        "spec": {
            "selector": dict(selector),
            "ports": [{"name": port, "port": number, "targetPort": port} for port, number in ports.items()],
            **more,
        },
    }


def service_monitor(name: str, space: str, endpoints: Sequence[Manifest], **more: object) -> Manifest:
    """Scrapes the Service of the same name; the series have its name as their job."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata(name, space, RELEASE),
        "spec": {
            "jobLabel": NAME_LABEL,
            "selector": {"matchLabels": {NAME_LABEL: name}},
            "endpoints": list(endpoints),
            **more,
        },
    }
