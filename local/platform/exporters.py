"""kube-state-metrics and the node exporter, under the jobs that kube-prometheus-stack gives them."""

from __future__ import annotations

from local.platform.names import MONITORING
from local.platform.objects import (
    Manifest,
    account,
    container,
    http_probe,
    pod_security,
    rule,
    service,
    service_monitor,
    workload,
)

_STATE = "kube-state-metrics"
_NODE = "node-exporter"
_USER = 65532
# By API group. Secrets and ConfigMaps are not among them: to watch those is to read what they hold.
_WATCHED = {
    "": (
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "resourcequotas",
        "services",
    ),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
}


def manifests(platform_image: str, node_exporter_image: str) -> list[Manifest]:
    """Both exporters with their Services and monitors."""
    return [*_kube_state_metrics(platform_image), *_node_exporter(node_exporter_image)]


def _kube_state_metrics(image: str) -> list[Manifest]:
    ports = {"http": 8080, "telemetry": 8081}
    resources = sorted(resource for kinds in _WATCHED.values() for resource in kinds)
    command = [_STATE, f"--resources={','.join(resources)}"]
    pod: Manifest = {
        "serviceAccountName": _STATE,
        "securityContext": pod_security(_USER),
        "containers": [container(_STATE, image, command, ports, "128Mi", http_probe("/readyz", "telemetry"))],
    }
    return [
        *account(_STATE, MONITORING, [rule([group], kinds, ("list", "watch")) for group, kinds in _WATCHED.items()]),
        workload("Deployment", _STATE, MONITORING, pod),
        service(_STATE, MONITORING, ports, {"app.kubernetes.io/name": _STATE}),
        # Its series name namespaces and pods of their own.
        service_monitor(_STATE, MONITORING, [{"port": "http", "honorLabels": True}]),
    ]


def _node_exporter(image: str) -> list[Manifest]:
    """Without a mount or a namespace of the host, so that it runs under Pod Security `restricted`.

    CPU, memory, load and disks of /proc are the machine's in every container. The root file system is an overlay on
    the node's disk, and has its size and its free space. Only the network's figures are the pod's own.
    """
    ports = {"metrics": 9100}
    command = [
        "/usr/bin/prometheus-node-exporter",
        r"--collector.filesystem.mount-points-exclude=^/.+",
        r"--collector.filesystem.fs-types-exclude=^(proc|sysfs|tmpfs|devpts|mqueue|cgroup2?)$",
    ]
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "securityContext": pod_security(65534),
        "containers": [container(_NODE, image, command, ports, "64Mi", http_probe("/", "metrics"))],
    }
    return [
        workload("DaemonSet", _NODE, MONITORING, pod),
        service(_NODE, MONITORING, ports, {"app.kubernetes.io/name": _NODE}, clusterIP="None"),
        service_monitor(_NODE, MONITORING, [{"port": "metrics"}]),
    ]
