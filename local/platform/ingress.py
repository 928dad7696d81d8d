"""The controller of Ingresses: skipper, on ports 80 and 443 of the node's address."""

from __future__ import annotations

from local.platform.names import INGRESS, INGRESS_CLASS
from local.platform.objects import (
    Manifest,
    account,
    container,
    http_probe,
    metadata,
    namespace,
    pod_security,
    rule,
    service,
    service_monitor,
    workload,
)

_NAME = "ingress-controller"
_PORTS = {"http": 8080, "https": 8443, "metrics": 9911}
_HOST_PORTS = {"http": 80, "https": 443}


def manifests(image: str) -> list[Manifest]:
    """Everything in the namespace ingress, and the class; ``image`` is the platform's."""
    return [
        # Ports of the node are beyond the levels `baseline` and `restricted`; the pod keeps to the rest of both.
        namespace(INGRESS, "privileged"),
        _ingress_class(),
        *account(_NAME, INGRESS, _rules()),
        workload("Deployment", _NAME, INGRESS, _pod(image)),
        service(_NAME, INGRESS, {"metrics": _PORTS["metrics"]}, {"app.kubernetes.io/name": _NAME}),
        service_monitor(_NAME, INGRESS, [{"port": "metrics"}]),
    ]


def _ingress_class() -> Manifest:
    """The cluster's default: skipper serves Ingresses without a class too, and so they get this one."""
    found = metadata(INGRESS_CLASS)
    found["annotations"] = {"ingressclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": found,
        "spec": {"controller": "zalando.org/skipper"},
    }


def _rules() -> list[Manifest]:
    read = ("get", "list", "watch")
    return [
        rule(["networking.k8s.io"], ["ingresses"], read),
        rule([""], ["services", "secrets"], read),
        rule(["discovery.k8s.io"], ["endpointslices"], read),
    ]


def _pod(image: str) -> Manifest:
    command = [
        _NAME,
        f"-address=:{_PORTS['https']}",
        f"-insecure-address=:{_PORTS['http']}",
        f"-support-listener=:{_PORTS['metrics']}",
        "-metrics-flavour=prometheus",
        "-kubernetes",
        "-kubernetes-in-cluster",
        "-kubernetes-enable-tls",
        "-enable-kubernetes-endpointslices",
        f"-kubernetes-ingress-class=^{INGRESS_CLASS}$",
        # The program redirects by the connection; this would do it by a header that any client can send.
        "-kubernetes-https-redirect=false",
        "-kubernetes-healthcheck=false",
        "-proxy-preserve-host",
        "-source-poll-timeout=1000",
        "-wait-for-healthcheck-interval=0s",
        "-wait-first-route-load",
        "-application-log-level=WARN",
        "-access-log-disabled",
        "-serve-host-counter",
    ]
    controller = container(_NAME, image, command, _PORTS, "128Mi", http_probe("/metrics", "metrics"))
    for port in controller["ports"]:
        if port["name"] in _HOST_PORTS:
            port["hostPort"] = _HOST_PORTS[port["name"]]
    return {
        "serviceAccountName": _NAME,
        "securityContext": pod_security(65532),
        "terminationGracePeriodSeconds": 5,
        "containers": [controller],
    }
