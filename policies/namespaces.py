"""Rules about where objects live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from policies import kinds
from policies.model import Judgement, Meta, Parameter, Parameters, Resource, Severity, expect, expect_equal
from runbook.sections import Section

NAMESPACE: Final = "crypto"
ENFORCE_LABEL: Final = "pod-security.kubernetes.io/enforce"
# What a platform's program reads must lie beside it: Grafana's certificate, its Ingress, its dashboards.
_BESIDE: Final = {
    "cert-manager.io/Certificate": ("cert-manager", "monitoring"),
    "networking.k8s.io/Ingress": ("monitoring",),
}
_SHARED: Final = ("default", "kube-system", "kube-public", "kube-node-lease")


def _in_namespace(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    allowed = (NAMESPACE, *_BESIDE.get(resource.kind, ()), *cast("list[str]", parameters["allowedNamespaces"]))
    yield expect(resource.at("metadata", "namespace"), lambda value: value in allowed, " or ".join(allowed))


def _restricted(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    yield expect_equal(resource.at("metadata", "labels").at(ENFORCE_LABEL), "restricted")


RULES: Final = (
    Meta(
        "namespace",
        "Every object lives in the system's own namespace.",
        Severity.HIGH,
        Section.NAMESPACE,
        "Set metadata.namespace, or allow the namespace by allowedNamespaces in the pack's configuration.",
        parameters=(
            Parameter(
                "allowedNamespaces",
                {
                    "type": "array",
                    "items": {
                        "type": "string",
                        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
                        # These belong to the cluster: nothing of this system has business there.
                        "not": {"enum": list(_SHARED)},
                    },
                },
                [],
            ),
        ),
        reference="CIS Kubernetes 5.7.1, 5.7.4; NSA Kubernetes Hardening Guide: namespaces",
    ).of_resource(kinds.namespaced, _in_namespace),
    Meta(
        "namespace-pod-security",
        "The namespace admits only pods of the Pod Security level restricted.",
        Severity.HIGH,
        Section.NAMESPACE,
        f"Set the label {ENFORCE_LABEL}: restricted on the Namespace.",
        reference="CIS Kubernetes 5.2.1; NSA Kubernetes Hardening Guide: Pod security enforcement",
    ).of_resource(kinds.one_of(kinds.NAMESPACE), _restricted),
)
