"""The operator that turns monitors, rules and routes into the configuration of Prometheus and Alertmanager."""

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

NAME = "prometheus-operator"
KUBELET_SERVICE = "kube-system/kubelet"
_PORTS = {"http": 8080}
_KINDS = (
    "alertmanagers",
    "alertmanagerconfigs",
    "prometheuses",
    "prometheusagents",
    "thanosrulers",
    "scrapeconfigs",
    "servicemonitors",
    "podmonitors",
    "probes",
    "prometheusrules",
)


def manifests(image: str) -> list[Manifest]:
    """The operator; ``image`` is the platform's, which has the reloader too that goes beside the servers."""
    command = [
        "prometheus-operator",
        f"--prometheus-config-reloader={image}",
        f"--kubelet-service={KUBELET_SERVICE}",
        "--kubelet-endpoints=false",
        "--kubelet-endpointslice=true",
        "--kubelet-http-metrics=false",
        "--kubelet-sync-period=30s",
        "--config-reloader-cpu-request=5m",
        "--config-reloader-cpu-limit=0",
        "--config-reloader-memory-request=32Mi",
        "--config-reloader-memory-limit=64Mi",
        "--log-level=warn",
    ]
    pod: Manifest = {
        "serviceAccountName": NAME,
        "securityContext": pod_security(65532),
        "containers": [container(NAME, image, command, _PORTS, "128Mi", http_probe("/healthz", "http"))],
    }
    return [
        *account(NAME, MONITORING, _rules()),
        workload("Deployment", NAME, MONITORING, pod),
        service(NAME, MONITORING, _PORTS, {"app.kubernetes.io/name": NAME}),
        service_monitor(NAME, MONITORING, [{"port": "http"}]),
    ]


def _rules() -> list[Manifest]:
    own = [f"{kind}{part}" for kind in _KINDS for part in ("", "/status", "/finalizers")]
    return [
        rule(["monitoring.coreos.com"], own, ("*",)),
        rule(["apps"], ["statefulsets"], ("*",)),
        rule([""], ["configmaps", "secrets"], ("*",)),
        rule([""], ["pods"], ("list", "delete")),
        rule([""], ["services", "services/finalizers"], ("get", "create", "update", "delete")),
        rule([""], ["nodes"], ("list", "watch")),
        rule([""], ["namespaces"], ("get", "list", "watch")),
        rule(["", "events.k8s.io"], ["events"], ("create", "patch")),
        rule(["discovery.k8s.io"], ["endpointslices"], ("get", "list", "watch", "create", "update", "delete")),
        rule(["storage.k8s.io"], ["storageclasses"], ("get",)),
    ]
