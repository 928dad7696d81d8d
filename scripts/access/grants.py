"""Who is granted what: from the objects of RBAC to one plain line a right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runbook import admission
from runbook.admission import Subjects
from runbook.rbac import Rule, stands_for_many
from scripts.clients.kubernetes import Cluster

_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_DEFAULTS_LABEL: Final = "kubernetes.io/bootstrapping"
_PUBLIC: Final = frozenset(
    f"ClusterRole system:{name}"
    for name in ("basic-user", "discovery", "public-info-viewer", "service-account-issuer-discovery")
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a binding gives to a subject (``ServiceAccount crypto/x``, ``Group x``, ``User x``).

    ``role`` and ``binding`` are kind and name. ``rules`` is None where the role does not exist.
    """

    subject: str
    binding: str
    role: str
    cluster: bool
    rules: tuple[Rule, ...] | None

    @property
    def via(self) -> str:
        return f"{self.role} by {self.binding}"

    def of(self, subjects: Subjects) -> bool:
        """Whether the subject is one of these, and the right counts in the namespace alone."""
        kind, _, whole = self.subject.partition(" ")
        namespace, _, name = whole.rpartition("/") if kind == "ServiceAccount" else ("", "", whole)
        return not self.cluster and subjects.have(kind, name, namespace)

    @property
    def to_everybody(self) -> bool:
        """The subject is every account, every person, or every client of the API server."""
        kind, _, name = self.subject.partition(" ")
        return kind != "ServiceAccount" and stands_for_many(name)

    def lines(self) -> list[str]:
        """Each right as one line; equal lines are equal rights."""
        where = "everywhere" if self.cluster else "in the namespace"
        return [f"{rule} {where}, {self.via}" for rule in self.rules or ()]


def collect(cluster: Cluster, namespace: str) -> tuple[list[Grant], list[str]]:
    """What is granted in the namespace, and its ServiceAccounts.

    What Kubernetes grants to its own parts is left out, unless it is bound to somebody else as well.
    """
    below = f"{_RBAC}/namespaces/{namespace}"
    roles = {f"Role {_name(role)}": _rules(role) for role in cluster.items(f"{below}/roles")}
    roles |= {f"ClusterRole {_name(role)}": _rules(role) for role in cluster.items(f"{_RBAC}/clusterroles")}
    grants = [
        *(grant for item in cluster.items(f"{below}/rolebindings") for grant in _grants(item, roles, namespace)),
        *(grant for item in cluster.items(f"{_RBAC}/clusterrolebindings") for grant in _grants(item, roles, None)),
    ]
    accounts = [_name(item) for item in cluster.items(f"/api/v1/namespaces/{namespace}/serviceaccounts")]
    return grants, sorted(accounts)


def bound(cluster: Cluster, namespace: str) -> Subjects:
    """The subjects whose rights on workloads admission limits in the namespace."""
    policies, bindings = (
        {_name(item): item["spec"] for item in cluster.items(f"{_ADMISSION}/{plural}")}
        for plural in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    )
    return admission.bound(namespace, policies, bindings)


def _name(item: Any) -> str:
    return str(item["metadata"]["name"])


def _rules(role: Any) -> tuple[Rule, ...]:
    listed: list[Any] = role.get("rules") or []
    keys = ("verbs", "resources", "apiGroups", "resourceNames", "nonResourceURLs")
    return tuple(Rule(*(tuple(sorted(rule.get(key) or ())) for key in keys)) for rule in listed)


def _grants(binding: Any, roles: Mapping[str, tuple[Rule, ...]], namespace: str | None) -> Iterator[Grant]:
    kind = "ClusterRoleBinding" if namespace is None else "RoleBinding"
    reference = binding["roleRef"]
    role = f"{reference['kind']} {reference['name']}"
    default = _DEFAULTS_LABEL in (binding["metadata"].get("labels") or {})
    subjects: list[Any] = binding.get("subjects") or []
    for entry in subjects:
        grant = Grant(_subject(entry, namespace), f"{kind} {_name(binding)}", role, namespace is None, roles.get(role))
        if not (default and _own(grant)):
            yield grant


def _subject(entry: Any, namespace: str | None) -> str:
    if entry["kind"] == "ServiceAccount":
        return f"ServiceAccount {entry.get('namespace') or namespace}/{entry['name']}"
    return f"{entry['kind']} {entry['name']}"


def _own(grant: Grant) -> bool:
    """Whether Kubernetes grants this to its own parts, or to everybody so that they can find the API at all."""
    if grant.to_everybody:
        return grant.role in _PUBLIC
    return grant.subject.startswith(("User system:", "Group system:", "ServiceAccount kube-system/"))
