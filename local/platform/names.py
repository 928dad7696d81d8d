"""Names that the platform and whoever looks at it have in common."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

from local.paths import Instance

CERT_MANAGER: Final = "cert-manager"
MONITORING: Final = "monitoring"
INGRESS: Final = "ingress"
NAMESPACES: Final = (CERT_MANAGER, MONITORING, INGRESS)

INGRESS_CLASS: Final = "skipper"
RELEASE: Final = {"release": "kube-prometheus-stack"}
"""The label by which production's kube-prometheus-stack selects rules, monitors and routes."""

IMAGES: Final = ("alertmanager", "node-exporter", "platform", "prometheus", "sample-service")
"""The images that the platform runs on; the sample service lends its Python."""

PROMETHEUS_PORT: Final = 9090
ALERTMANAGER_PORT: Final = 9093
NOTIFICATIONS_PORT: Final = 8080


def prometheus_address(instance: Instance) -> IPv4Address:
    """Fixed, so that a person has one address to remember; Kubernetes takes its own from the other end of the range."""
    return instance.service_subnet[9]


def alertmanager_address(instance: Instance) -> IPv4Address:
    """As Prometheus's."""
    return instance.service_subnet[10]


def notifications_address(instance: Instance) -> IPv4Address:
    """As Prometheus's."""
    return instance.service_subnet[11]


def addresses(instance: Instance) -> dict[str, str]:
    """What a person looks at, by what it is called; the host reaches these as it reaches pods."""
    return {
        "Prometheus": f"http://{prometheus_address(instance)}:{PROMETHEUS_PORT}",
        "Alertmanager": f"http://{alertmanager_address(instance)}:{ALERTMANAGER_PORT}",
        "Notifications": f"http://{notifications_address(instance)}:{NOTIFICATIONS_PORT}",
        "Ingresses": f"{instance.node_address}, ports 80 and 443",
    }
