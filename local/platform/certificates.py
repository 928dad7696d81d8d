"""cert-manager with the issuers SelfSigned and CA."""

from __future__ import annotations

from local.platform.names import CERT_MANAGER
from local.platform.objects import (
    Manifest,
    account,
    container,
    http_probe,
    namespace,
    pod_security,
    rule,
    service,
    service_monitor,
    workload,
)

_PORTS = {"metrics": 9402, "health": 9403}
_READ = ("get", "list", "watch")


def manifests(image: str) -> list[Manifest]:
    """Everything in the namespace cert-manager; ``image`` is the platform's."""
    name = CERT_MANAGER
    pod: Manifest = {
        "serviceAccountName": name,
        "securityContext": pod_security(65532),
        "containers": [
            container(
                name, image, [name, f"--cluster-resource-namespace={name}"], _PORTS, "128Mi",
                http_probe("/readyz", "health"),
                livenessProbe={**http_probe("/livez", "health"), "periodSeconds": 20},
            )
        ],
    }  # fmt: skip
    metrics = {"metrics": _PORTS["metrics"]}
    return [
        namespace(name, "restricted"),
        *account(name, name, _rules()),
        workload("Deployment", name, name, pod),
        service(name, name, metrics, {"app.kubernetes.io/name": name}),
        service_monitor(name, name, [{"port": "metrics"}]),
    ]


def _rules() -> list[Manifest]:
    issued = ("certificates", "certificaterequests")
    issuers = ("issuers", "clusterissuers")
    everything = (*issued, *issuers)
    return [
        rule(["cert-manager.io"], everything, (*_READ, "create", "update", "patch", "delete")),
        rule(["cert-manager.io"], [f"{kind}/status" for kind in everything], ("update", "patch")),
        rule(["cert-manager.io"], [f"{kind}/finalizers" for kind in everything], ("update",)),
        # The approver approves requests of the issuers that this program carries out.
        rule(["cert-manager.io"], ["signers"], ("approve",)),
        # The informer is set up although no ACME order is ever made.
        rule(["acme.cert-manager.io"], ["orders", "challenges"], _READ),
        rule([""], ["secrets"], (*_READ, "create", "update", "patch", "delete")),
        rule(["", "events.k8s.io"], ["events"], ("create", "patch")),
    ]
