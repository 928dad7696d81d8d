"""Prometheus and Alertmanager, run by the operator."""

from __future__ import annotations

import json
from collections.abc import Mapping

from local.paths import Instance
from local.platform.names import (
    ALERTMANAGER_PORT,
    MONITORING,
    PROMETHEUS_PORT,
    RELEASE,
    alertmanager_address,
    prometheus_address,
)
from local.platform.objects import Manifest, account, metadata, pod_security, rule, service, service_monitor
from local.toolchain import versions

NAME = "main"
# The operator writes flags and configuration for a version. Prometheus has the toolchain's; this is what Debian 12 has.
ALERTMANAGER_VERSION = "v0.25.0"

_API = "monitoring.coreos.com/v1"
_NOBODY = 65534
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 (where a pod's token lies)


def manifests(instance: Instance, images: Mapping[str, str]) -> list[Manifest]:
    """The two servers, Services with fixed addresses for people, and what they scrape of themselves and the kubelet."""
    return [
        *account("prometheus", MONITORING, _prometheus_rules()),
        _prometheus(images["prometheus"]),
        _alertmanager_settings(),
        _alertmanager(images["alertmanager"]),
        service(
            "prometheus", MONITORING, {"web": PROMETHEUS_PORT}, {"prometheus": NAME},
            clusterIP=str(prometheus_address(instance)),
        ),
        service(
            "alertmanager", MONITORING, {"web": ALERTMANAGER_PORT}, {"alertmanager": NAME},
            clusterIP=str(alertmanager_address(instance)),
        ),
        service_monitor("prometheus", MONITORING, [{"port": "web"}]),
        service_monitor("alertmanager", MONITORING, [{"port": "web"}]),
        _kubelet_monitor(),
    ]  # fmt: skip


def _selectors(*kinds: str) -> Manifest:
    """Objects of these kinds in all namespaces, by the label that production selects by too."""
    return {
        **{f"{kind}Selector": {"matchLabels": RELEASE} for kind in kinds},
        **{f"{kind}NamespaceSelector": {} for kind in kinds},
    }


def _prometheus(image: str) -> Manifest:
    return {
        "apiVersion": _API,
        "kind": "Prometheus",
        "metadata": metadata(NAME, MONITORING),
        "spec": {
            "version": f"v{versions.load().version_of('prometheus')}",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "replicas": 1,
            "serviceAccountName": "prometheus",
            "securityContext": pod_security(_NOBODY),
            "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "768Mi"}},
            "retention": "6h",
            "retentionSize": "512MB",
            "storage": {"emptyDir": {"sizeLimit": "1Gi"}},
            "scrapeInterval": "15s",
            "evaluationInterval": "15s",
            "serviceDiscoveryRole": "EndpointSlice",
            "externalLabels": {"cluster": "local"},
            "alerting": {
                "alertmanagers": [{"namespace": MONITORING, "name": "alertmanager", "port": "web", "apiVersion": "v2"}]
            },
            **_selectors("serviceMonitor", "podMonitor", "probe", "rule", "scrapeConfig"),
        },
    }


def _prometheus_rules() -> list[Manifest]:
    read = ("get", "list", "watch")
    return [
        rule([""], ["services", "pods"], read),
        rule(["discovery.k8s.io"], ["endpointslices"], read),
        rule([""], ["nodes/metrics"], ("get",)),
    ]


def _alertmanager(image: str) -> Manifest:
    return {
        "apiVersion": _API,
        "kind": "Alertmanager",
        "metadata": metadata(NAME, MONITORING),
        "spec": {
            "version": ALERTMANAGER_VERSION,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "replicas": 1,
            "securityContext": pod_security(_NOBODY),
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "retention": "6h",
            "configSecret": f"alertmanager-{NAME}",
            **_selectors("alertmanagerConfig"),
        },
    }


def _alertmanager_settings() -> Manifest:
    """What holds for every route: nothing is sent to anybody unless an AlertmanagerConfig says so, and soon."""
    settings = {
        "global": {"resolve_timeout": "1m"},
        "route": {"receiver": "nobody", "group_wait": "1s", "group_interval": "5s", "repeat_interval": "1h"},
        "receivers": [{"name": "nobody"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(f"alertmanager-{NAME}", MONITORING),
        "stringData": {"alertmanager.yaml": json.dumps(settings, indent=2)},
    }


def _kubelet_monitor() -> Manifest:
    """The kubelet and its cAdvisor, told apart by metrics_path, as kube-prometheus-stack has them."""
    common: Manifest = {
        "port": "https-metrics",
        "scheme": "https",
        "honorLabels": True,
        "bearerTokenFile": _TOKEN,
        # The kubelet's certificate is for the node's name, and it is scraped by address.
        "tlsConfig": {"insecureSkipVerify": True},
        "relabelings": [{"action": "replace", "sourceLabels": ["__metrics_path__"], "targetLabel": "metrics_path"}],
    }
    return service_monitor(
        "kubelet", MONITORING,
        [common, {**common, "path": "/metrics/cadvisor", "honorTimestamps": False}],
        # The operator makes the Service, with labels of its own.
        jobLabel="k8s-app",
        selector={"matchLabels": {"k8s-app": "kubelet"}},
        namespaceSelector={"matchNames": ["kube-system"]},
    )  # fmt: skip
