"""Ways from a right to more rights: what the holder of a rule of RBAC can do that the rule does not say.

``ops access review`` and the policies both ask here. A way has the name of the policy that judges it, by which a waiver
excuses it in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from runbook.rbac import ALL, Request, Rule

# The policies that judge rights.
WILDCARDS: Final = "rbac-no-wildcards"
ESCALATION: Final = "rbac-no-escalation"
SECRETS: Final = "rbac-secrets-by-name"
PODS: Final = "rbac-no-own-pods"
PORTS: Final = "rbac-no-way-to-ports"
ISSUING: Final = "rbac-no-issuing"
NAMESPACE_ADMIN: Final = "rbac-no-namespace-admin"
WHOLE_CLUSTER: Final = "rbac-no-cluster-admin"
# The rest holds for every stack.
WAIVABLE: Final = frozenset({SECRETS, PODS, PORTS, ISSUING, NAMESPACE_ADMIN})

CREATED: Final = ("create", "update", "patch")
_CHANGED: Final = ("update", "patch")
_READ: Final = ("get", "list", "watch")
_PROXIED: Final = ("get", "create", "update", "patch", "delete")
# A WebSocket begins with a GET: servers before Kubernetes 1.35 ask for no more than `get` of it.
_OPENED: Final = ("create", "get")
# Verbs of requests that name no object, and verbs of requests that may name one (by a field selector).
_NAMELESS: Final = frozenset({"create", "deletecollection"})
_EITHER: Final = frozenset({"list", "watch"})
_RBAC: Final = "rbac.authorization.k8s.io"
_AUTHENTICATION: Final = "authentication.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"
_CERT_MANAGER: Final = "cert-manager.io"
_EXTRAS: Final = "userextras"


@dataclass(frozen=True, slots=True)
class Key:
    """Any of the verbs on any of the resources opens a way; ``cluster`` resources belong to no namespace."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    group: str = ""
    cluster: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """What a holder can do, behind the word "can"; ``by_name``: not where the right is limited to named objects."""

    policy: str
    words: str
    keys: tuple[Key, ...]
    by_name: bool = False


OWN_PODS: Final = Way(
    PODS,
    "start pods of its own making, under any account and with any Secret and volume of the namespace",
    (
        Key(CREATED, ("pods", "podtemplates", "replicationcontrollers")),
        Key(CREATED, ("daemonsets", "deployments", "replicasets", "statefulsets"), "apps"),
        Key(CREATED, ("cronjobs", "jobs"), "batch"),
        # The operator of Prometheus makes pods of these.
        Key(CREATED, ("alertmanagers", "prometheusagents", "prometheuses", "thanosrulers"), "monitoring.coreos.com"),
    ),
)
SHELL: Final = Way(
    ESCALATION,
    "run commands in running pods, with their accounts, Secrets and connections",
    (Key(_OPENED, ("pods/attach", "pods/exec")), Key(_CHANGED, ("pods/ephemeralcontainers",))),
)
REACH_PORTS: Final = Way(
    PORTS,
    "connect to any port of pods and services, past network policies",
    (Key(_OPENED, ("pods/portforward",)), Key(_PROXIED, ("pods/proxy", "services/proxy"))),
)
TOKENS: Final = Way(
    ESCALATION,
    "take the token of a service account and act as it",
    (Key(("create",), ("serviceaccounts/token",)),),
    by_name=True,
)
IMPERSONATION: Final = Way(
    ESCALATION,
    "act as another user, group or service account",
    (
        Key(("impersonate",), ("serviceaccounts",)),
        Key(("impersonate",), ("groups", "users"), cluster=True),
        Key(("impersonate", "impersonate:user-info"), ("uids", _EXTRAS), _AUTHENTICATION, cluster=True),
        Key(("impersonate:user-info",), ("groups", "users"), _AUTHENTICATION, cluster=True),
        Key(("impersonate:serviceaccount",), ("serviceaccounts",), _AUTHENTICATION),
        Key(("impersonate:arbitrary-node", "impersonate:associated-node"), ("nodes",), _AUTHENTICATION, cluster=True),
    ),
)
RAISE_RIGHTS: Final = Way(
    ESCALATION,
    "give itself rights that it has not",
    (
        Key(("bind",), ("clusterroles", "roles"), _RBAC),
        Key(("escalate",), ("roles",), _RBAC),
        Key(("escalate",), ("clusterroles",), _RBAC, cluster=True),
    ),
)
HAND_ON_RIGHTS: Final = Way(
    ESCALATION,
    "hand its rights on to other subjects, and keep them when its own binding goes",
    (
        Key(CREATED, ("rolebindings", "roles"), _RBAC),
        Key(CREATED, ("clusterrolebindings", "clusterroles"), _RBAC, cluster=True),
    ),
)
ADMISSION: Final = Way(
    ESCALATION,
    "read and change what others write to the API server, or lift what admission refuses",
    (
        Key(
            (*CREATED, "delete", "deletecollection"),
            (
                "mutatingadmissionpolicies",
                "mutatingadmissionpolicybindings",
                "mutatingwebhookconfigurations",
                "validatingadmissionpolicies",
                "validatingadmissionpolicybindings",
                "validatingwebhookconfigurations",
            ),
            "admissionregistration.k8s.io",
            cluster=True,
        ),
    ),
)
SIGNING: Final = Way(
    ESCALATION,
    "have a client certificate of any user signed",
    (
        Key(
            _CHANGED,
            ("certificatesigningrequests/approval", "certificatesigningrequests/status"),
            _CERTIFICATES,
            cluster=True,
        ),
        Key(("approve", "sign"), ("signers",), _CERTIFICATES, cluster=True),
    ),
)
KUBELET: Final = Way(
    ESCALATION,
    "run commands in any pod of a node by its kubelet, unseen by the audit log",
    (Key(_PROXIED, ("nodes/proxy",), cluster=True),),
)
NODES: Final = Way(
    ESCALATION,
    "draw pods, and the Secrets that they mount, to a node of its choice",
    (
        Key(_CHANGED, ("nodes", "nodes/status"), cluster=True),
        Key(("create",), ("bindings",)),
        Key(("create",), ("pods/binding",)),
    ),
)
VOLUMES: Final = Way(
    ESCALATION,
    "mount folders of a node, or the volumes of other namespaces",
    (Key(CREATED, ("persistentvolumes",), cluster=True),),
)
EXTEND_API: Final = Way(
    ESCALATION,
    "answer requests in the API server's place (APIService, conversion webhook)",
    (
        Key(CREATED, ("apiservices",), "apiregistration.k8s.io", cluster=True),
        Key(CREATED, ("customresourcedefinitions",), "apiextensions.k8s.io", cluster=True),
    ),
)
POD_SECURITY: Final = Way(
    ESCALATION,
    "take Pod Security off its namespace, by the namespace's labels",
    # A request for a namespace belongs to that namespace: a RoleBinding in it is enough.
    (Key(_CHANGED, ("namespaces",)),),
)
READ_SECRETS: Final = Way(SECRETS, "read Secrets", (Key(_READ, ("secrets",)),), by_name=True)
CERT_MANAGER: Final = Way(
    ISSUING,
    "have cert-manager sign certificates and write them over Secrets of its choice",
    (
        Key(CREATED, ("certificaterequests", "certificates", "issuers"), _CERT_MANAGER),
        Key(_CHANGED, ("certificaterequests/status",), _CERT_MANAGER),
        Key(CREATED, ("clusterissuers",), _CERT_MANAGER, cluster=True),
        Key(("approve",), ("signers",), _CERT_MANAGER, cluster=True),
    ),
)
WAYS: Final = tuple(value for value in globals().values() if isinstance(value, Way))

_EDIT: Final = frozenset({OWN_PODS, SHELL, REACH_PORTS, TOKENS, IMPERSONATION, READ_SECRETS, CERT_MANAGER})
# What Kubernetes' own roles open in the namespace of a RoleBinding; cert-manager and the operator of Prometheus add to
# them. `cluster-admin` opens everything.
BUILT_IN: Final[Mapping[str, frozenset[Way]]] = MappingProxyType(
    {"cluster-admin": frozenset(WAYS), "admin": _EDIT | {HAND_ON_RIGHTS}, "edit": _EDIT}
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A way that rules open, and the part of them that does."""

    way: Way
    rights: tuple[Rule, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.rights))

    @property
    def limited(self) -> bool:
        """It leads to named objects alone, and does no more harm than these allow."""
        return self.way.by_name and all(right.limited for right in self.rights)


def openings(rules: Iterable[Rule], *, everywhere: bool) -> list[Opening]:
    """The ways that rules open, by a ClusterRoleBinding (``everywhere``) or inside the namespace of a RoleBinding."""
    given = tuple(rules)
    found = ((way, tuple(_rights(given, way, everywhere=everywhere))) for way in WAYS)
    return [Opening(way, rights) for way, rights in found if rights]


def policy_of_built_in(role: str, *, everywhere: bool) -> str | None:
    """The policy about a binding to one of Kubernetes' own ClusterRoles that open ways; None: it opens none."""
    if role not in BUILT_IN:
        return None
    return WHOLE_CLUSTER if everywhere or role == "cluster-admin" else NAMESPACE_ADMIN


def wildcards(rule: Rule) -> list[str]:
    """What of a rule is not written out."""
    lists = (("verbs", rule.verbs), ("resources", rule.resources), ("API groups", rule.groups))
    wild = [name for name, values in lists if any(ALL in value for value in values)]
    return [*wild, *(["URLs"] if any(map(any_url, rule.urls)) else [])]


def any_url(pattern: str) -> bool:
    """Whether every URL fits the pattern."""
    return pattern.endswith(ALL) and pattern.rstrip(ALL) in ("", "/")


def _rights(rules: tuple[Rule, ...], way: Way, *, everywhere: bool) -> Iterator[Rule]:
    for rule in rules:
        for key in way.keys:
            by_verbs: dict[tuple[str, ...], list[str]] = {}
            for resource in _named_by(key, rule):
                verbs = tuple(verb for verb in key.verbs if _allows(rule, verb, resource, key, everywhere=everywhere))
                if verbs:
                    by_verbs.setdefault(verbs, []).append(resource)
            for verbs, resources in by_verbs.items():
                yield Rule(verbs, tuple(resources), (key.group,), rule.names)


def _named_by(key: Key, rule: Rule) -> Iterator[str]:
    """The key's resources that a rule covers. The names of extra fields of a user are subresources of `userextras`."""
    for resource in key.resources:
        if resource != _EXTRAS:
            if rule.covers(resource, key.group):
                yield resource
            continue
        for stated in rule.resources:
            field = stated.removeprefix("*/").removeprefix(f"{_EXTRAS}/")
            if stated in (ALL, f"*/{field}", f"{_EXTRAS}/{field}"):
                yield f"{_EXTRAS}/{field}"


def _allows(rule: Rule, verb: str, resource: str, key: Key, *, everywhere: bool) -> bool:
    """Whether there is a name with which the rule allows the verb."""
    names: Iterable[str] = rule.names or ("",)
    if rule.names and verb in _NAMELESS and "/" not in resource:
        names = ("",)
    elif rule.names and verb not in _EITHER:
        names = [name for name in rule.names if name]
    return any(
        rule.allows(Request(verb, resource, key.group, name, key.cluster), everywhere=everywhere) for name in names
    )
