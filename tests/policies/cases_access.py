"""Cases of the rules about roles, networks, the way in and certificates."""

from __future__ import annotations

from typing import Any, Final

from policies.plain import SECRET, UNKNOWN
from tests.policies.cases import Case, Waiting
from tests.policies.cases_first import among
from tests.policies.stack import Declared

ROLE, REVIEW = "ops-role", "cluster-role"
BINDING, ON_CALL = "ops-binding", "on-call-role"
SELECTOR = "spec.podSelector"
NETWORK = "api-gateway-network"
ANYWHERE = {"ipBlock": {"cidr": "0.0.0.0/0"}}
FROM, TO = "spec.ingress.0.from", "spec.egress.0.to"
BACKEND = "spec.rules.0.http.paths.0.backend.service"
CERTIFICATE = "certificate"
DAY = 24
HOSTS = "spec.tls.0.hosts"

GRAFANA = Declared(
    "kubernetes:networking.k8s.io/v1:Ingress",
    "grafana",
    {
        "metadata": {"name": "grafana", "namespace": "monitoring"},
        "spec": {
            "rules": [{"http": {"paths": [{"backend": {"service": {"name": "grafana", "port": {"number": 80}}}}]}}]
        },
    },
)


def right(verb: str, *resources: str, group: str = "", **more: Any) -> dict[str, Any]:
    """A rule of a role."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": [verb], **more}


def has(key: str, operator: str = "Exists") -> dict[str, object]:
    """A condition of a selector: a label is there, or not."""
    return {"key": key, "operator": operator}


def block(cidr: str, *left_out: str) -> dict[str, Any]:
    """A peer that is a network."""
    return {"ipBlock": {"cidr": cidr, **({"except": list(left_out)} if left_out else {})}}


def opened(port: int, *networks: dict[str, Any], end: int | None = None, to: bool = False) -> dict[str, Any]:
    """A rule of a policy for networks and ports."""
    ports = {"port": port, **({"endPort": end} if end else {})}
    return {"to" if to else "from": list(networks), "ports": [ports]}


def beside(rule: dict[str, Any], app: str = "api-gateway", way: str = "ingress") -> Declared:
    """Another policy for the pods of one that is there."""
    spec = {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress", "Egress"], way: [rule]}
    return Declared(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "other",
        {"metadata": {"name": "other", "namespace": "crypto"}, "spec": spec},
    )


GATE, TYPES, IN_PORTS, OUT_PORTS = "api-gateway", "spec.policyTypes", "spec.ingress.0.ports", "spec.egress.0.ports"
APP, ANY = {"matchLabels": {"app": "redis"}}, block("0.0.0.0/0")
# An eighth of the Internet; with another one a quarter, which is everybody.
HALF = block("32.0.0.0/3")
SIX = ("0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/3")
IN_PART = (NETWORK, FROM, [HALF])


PERCENT = "spec.renewBeforePercentage"
SERVED = {"service": {"name": "api-gateway", "port": {"number": 8000}}}
_GROUP = {"kind": "Group", "name": "crypto:on-call"}
_ISSUERS = right("create", "clusterissuers", group="cert-manager.io")
# The ClusterRole `crypto-review` by a RoleBinding.
IN_NAMESPACE = Declared(
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
    "cluster-binding",
    {
        "metadata": {"name": "crypto-review", "namespace": "crypto"},
        "roleRef": {"kind": "ClusterRole", "name": "crypto-review"},
        "subjects": [{"kind": "ServiceAccount", "name": "ops"}],
    },
)

PASSES: list[Case] = [
    *(
        ("certificate-renewal", (CERTIFICATE, "spec.renewBefore", None), (CERTIFICATE, PERCENT, percent))
        for percent in (24, 50)
    ),
    (
        "certificate-renewal",
        *((CERTIFICATE, f"spec.{key}", None) for key in ("renewBefore", "duration")),
        (CERTIFICATE, PERCENT, 33),
    ),
    ("ingress-tls", ("ingress", "spec.defaultBackend", SERVED)),
    ("ingress-backend-declared", ("ingress", "spec.defaultBackend", SERVED)),
    ("ingress-backend-declared", ("grafana", "", GRAFANA)),
    ("rbac-no-wildcards", (REVIEW, "rules.0.nonResourceURLs", ["/healthz", "/livez/*"])),
    ("rbac-no-escalation", (ROLE, "rules.0", right("create", "serviceaccounts/token", resourceNames=["m"]))),
    ("rbac-no-escalation", (ROLE, "rules.0", right("create", "serviceaccounts/token", resourceNames=[UNKNOWN]))),
    ("rbac-no-escalation", (ROLE, "rules.0", right("get", "nodes/proxy"))),
    ("rbac-no-escalation", (ROLE, "rules.0", right("create", "pods", "deployments", group="*"))),
    ("rbac-no-own-pods", (ROLE, "rules.0", right("create", "jobs", group="apps"))),
    ("rbac-no-own-pods", (ROLE, "rules.0", right("create", "pods/exec", "pods/portforward"))),
    ("rbac-no-own-pods", (ROLE, "rules.0", right("create", "pods", resourceNames=["p"]))),
    ("rbac-no-way-to-ports", (ROLE, "rules.0", right("get", "pods/log", "pods/exec"))),
    ("rbac-no-issuing", (ROLE, "rules.0", right("get", "issuers", group="cert-manager.io"))),
    # A RoleBinding gives nothing on what belongs to no namespace.
    ("rbac-no-issuing", (REVIEW, "rules.0", _ISSUERS), ("cluster-binding", "", IN_NAMESPACE)),
    ("rbac-secrets-by-name", (ROLE, "rules.0", right("get", "secrets", group="example.com"))),
    ("rbac-no-cluster-admin", (BINDING, "roleRef", {"kind": "ClusterRole", "name": "admin"})),
    ("rbac-no-namespace-admin", (BINDING, "roleRef", {"kind": "ClusterRole", "name": "view"})),
    ("rbac-no-namespace-admin", (BINDING, "roleRef", {"kind": "Role", "name": "admin"})),
    ("rbac-no-namespace-admin", (BINDING, "roleRef", {"kind": "ClusterRole", "name": "cluster-admin"})),
    ("rbac-no-anonymous", (BINDING, "subjects.0", {"kind": "Group", "name": "crypto:on-call"})),
    ("rbac-no-anonymous", (BINDING, "subjects.0", {"kind": "Group", "name": "default"})),
    ("rbac-role-declared", (BINDING, "roleRef", {"kind": "ClusterRole", "name": "edit"})),
    ("rbac-role-declared", (BINDING, "roleRef", {"kind": "ClusterRole", "name": "crypto-review"})),
    ("rbac-account-declared", (BINDING, "subjects.0", {"kind": "Group", "name": "nobody-declares-me"})),
    ("network-default-deny", ("default-deny", "spec.ingress", [])),
    ("network-default-deny", ("default-deny", SELECTOR, {"matchLabels": {}})),
    ("network-default-deny", ("default-deny", SELECTOR, {"matchLabels": {}, "matchExpressions": []})),
    ("network-default-deny", ("default-deny", SELECTOR, None)),
    ("network-policy-for-every-pod", (NETWORK, SELECTOR, {"matchExpressions": [among("app", "api-gateway", "b")]})),
    ("network-policy-for-every-pod", (NETWORK, SELECTOR, {"matchExpressions": [among("tier", "b", operator="NotIn")]})),
    ("network-policy-for-every-pod", (NETWORK, SELECTOR, {})),
    # The namespace's policy closes the way in, and the pods' own one says where they go.
    ("network-policy-for-every-pod", (NETWORK, TYPES, ["Egress"])),
    ("network-policy-for-every-pod", (NETWORK, SELECTOR, {"matchExpressions": [has("app")]})),
    ("network-policy-for-every-pod", (NETWORK, SELECTOR, {"matchExpressions": [has("tier", "DoesNotExist")]})),
    # Without rules for egress and types the API server takes Ingress alone.
    ("network-policy-for-every-pod", (NETWORK, "spec.policyTypes", None), (NETWORK, "spec.egress", None)),
    # A namespace of which the stack does not say that it is its own: closed to everybody is enough.
    ("network-policy-for-every-pod", ("crypto", "", None), (NETWORK, "", None)),
    ("network-policy-target-exists", (NETWORK, SELECTOR, {})),
    ("network-ingress-from-somebody", (NETWORK, FROM, [HALF])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [block("0.0.0.0/0", *SIX)])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [block("128.0.0.0/3"), block("fd00::/8")])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"namespaceSelector": {"matchLabels": {"a": "b"}}}])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"namespaceSelector": {}, "podSelector": APP}])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"podSelector": {"matchExpressions": [has("app")]}}])),
    ("network-ingress-from-somebody", (NETWORK, IN_PORTS, [{"port": "http"}, {"port": 1, "endPort": 4095}])),
    # The two halves do not meet at one port.
    (
        "network-ingress-from-somebody",
        (NETWORK, "spec.ingress", [opened(80, block("0.0.0.0/3")), opened(81, block("32.0.0.0/3"))]),
    ),
    ("network-egress-to-ports", (NETWORK, TO, [ANY]), (NETWORK, OUT_PORTS, [{"port": 1, "endPort": 4096}])),
    ("network-egress-to-ports", (NETWORK, TO, [block("10.0.0.0/8")]), (NETWORK, OUT_PORTS, [{"port": "http"}])),
    ("network-policies-add-up", ("other", "", beside(opened(8001, block("0.0.0.0/3")))), IN_PART),
    ("network-policies-add-up", ("other", "", beside(opened(8000, block("0.0.0.0/4")))), IN_PART),
    ("network-policies-add-up", ("other", "", beside(opened(8000, block("0.0.0.0/3")), app="redis")), IN_PART),
    # What one policy opens alone is told of that policy.
    ("network-policies-add-up", ("other", "", beside(opened(8000, ANY))), IN_PART),
    (
        "network-policy-target-exists",
        (NETWORK, f"{SELECTOR}.matchLabels", {"acme.cert-manager.io/http01-solver": "true"}),
    ),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"ipBlock": {"cidr": "10.0.0.0/8"}}])),
    (
        "network-ingress-from-somebody",
        (NETWORK, FROM, [{"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}}]),
    ),
    (
        "network-egress-narrowed",
        (NETWORK, TO, [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "fd00::/8"}}]),
    ),
    ("network-egress-narrowed", (NETWORK, TO, [{"podSelector": {"matchLabels": {"app": "redis"}}}])),
    ("network-egress-narrowed", (NETWORK, "spec.egress", None)),
    ("network-policy-types-stated", (NETWORK, "spec.policyTypes", ["Ingress"]), (NETWORK, "spec.egress", None)),
    ("ingress-tls", ("ingress", HOSTS, ["*.example.com"])),
    ("ingress-certificate-declared", (CERTIFICATE, "spec.dnsNames", ["*.example.com"])),
    ("ingress-backend-declared", ("ingress", f"{BACKEND}.port", {"name": "http"})),
    ("service-inside-only", ("api-gateway-service", "spec.type", "ClusterIP")),
    ("certificate-renewal", (CERTIFICATE, "spec.renewBefore", f"{21 * DAY}h1s")),
    ("certificate-renewal", (CERTIFICATE, "spec.duration", f"{60 * DAY}h")),
    ("certificate-renewal", (CERTIFICATE, "spec.duration", None)),
    ("certificate-duration", (CERTIFICATE, "spec.duration", f"{398 * DAY}h")),
    ("certificate-duration", (CERTIFICATE, "spec.duration", "1s")),
    (
        "certificate-key",
        (CERTIFICATE, "spec.privateKey", {"rotationPolicy": "Always", "algorithm": "RSA", "size": 2048}),
    ),
    ("certificate-key", (CERTIFICATE, "spec.privateKey", {"rotationPolicy": "Always"})),
    ("certificate-key", (CERTIFICATE, "spec.privateKey.algorithm", "Ed25519")),
    ("issuer-reachable", ("issuer", "spec", {"ca": {"secretName": "ca"}})),
]

_EVERYBODY: Final[list[list[Any]]] = [
    [block("0.0.0.0/2")],
    [block("0.0.0.0/3"), block("32.0.0.0/3")],
    [block("0.0.0.0/1", "0.0.0.0/3"), HALF],
    [block("2000::/5")],
    [{"podSelector": {}}],
    [{"podSelector": {"matchLabels": {}}}],
    [{"namespaceSelector": {"matchExpressions": [has("kubernetes.io/metadata.name")]}}],
    [{"namespaceSelector": {"matchExpressions": [among("a", "b", operator="NotIn")]}}],
    [{"podSelector": {"matchExpressions": [has("a", "DoesNotExist")]}}],
]
FAILS: list[Case] = [
    *(
        ("certificate-renewal", (CERTIFICATE, "spec.renewBefore", None), (CERTIFICATE, PERCENT, percent))
        for percent in (23, 51, 0, "33")
    ),
    ("certificate-renewal", (CERTIFICATE, PERCENT, 33)),
    # Exactly the 21 days of the alert.
    (
        "certificate-renewal",
        (CERTIFICATE, "spec.renewBefore", None),
        (CERTIFICATE, "spec.duration", "2016h"),
        (CERTIFICATE, PERCENT, 25),
    ),
    ("certificate-renewal", (CERTIFICATE, "spec.renewBefore", "40d")),
    (
        "certificate-renewal",
        (CERTIFICATE, "spec.renewBefore", None),
        (CERTIFICATE, PERCENT, 33),
        (CERTIFICATE, "spec.duration", "90d"),
    ),
    ("certificate-duration", (CERTIFICATE, "spec.duration", "90d")),
    *(
        ("ingress-tls", ("ingress", "spec", {"ingressClassName": "nginx", key: SERVED}))
        for key in ("defaultBackend", "backend")
    ),
    (
        "ingress-backend-declared",
        ("ingress", "spec.defaultBackend", {"service": {"name": "gone", "port": {"number": 1}}}),
    ),
    ("rbac-secrets-by-name", ("backup-role", "metadata.name", "health-check")),
    *(("rbac-no-wildcards", (ROLE, f"rules.0.{key}", ["*"])) for key in ("apiGroups", "resources", "verbs")),
    ("rbac-no-wildcards", (REVIEW, "rules.0.nonResourceURLs", ["*"])),
    ("rbac-no-wildcards", (REVIEW, "rules.0.nonResourceURLs", ["/*"])),
    *(("rbac-no-wildcards", (ROLE, "rules.0.resources", [each])) for each in ("*/exec", "*/scale", "pods/*")),
    ("rbac-no-wildcards", (ROLE, "rules.0.resources", [3])),
    ("rbac-no-wildcards", (REVIEW, "rules.0.nonResourceURLs", [3])),
    ("rbac-no-wildcards", (REVIEW, "aggregationRule", {"clusterRoleSelectors": [{}]})),
    *(
        ("rbac-no-escalation", (ROLE, "rules.0", right(verb, "roles", group=group)))
        for verb in ("escalate", "bind", "create")
        for group in ("rbac.authorization.k8s.io", "*")
    ),
    ("rbac-no-escalation", (ROLE, "rules.0", right("impersonate", "serviceaccounts"))),
    ("rbac-no-escalation", (REVIEW, "rules.0", right("impersonate", "users"))),
    ("rbac-no-escalation", (REVIEW, "rules.0", right("get", "nodes/proxy"))),
    *(
        ("rbac-no-escalation", (ROLE, "rules.0", right("create", each)))
        for each in ("pods/exec", "pods/attach", "*/exec", "*", "serviceaccounts/token", "*/token")
    ),
    ("rbac-no-escalation", (ROLE, "rules.0", right("create", "serviceaccounts/token", resourceNames=[]))),
    ("rbac-no-escalation", (ROLE, "rules.0", right("create", "pods/exec", resourceNames=["p"]))),
    ("rbac-no-escalation", (ROLE, "rules.0", {"resources": ["pods/exec"], "verbs": ["create"]})),
    ("rbac-no-escalation", (ROLE, "rules.0", {**right("create"), "resources": SECRET})),
    ("rbac-no-own-pods", (ROLE, "rules.0.verbs", ["get", "patch"])),
    ("rbac-no-own-pods", (ROLE, "rules.0", right("create", "jobs", group="batch"))),
    ("rbac-no-own-pods", (ROLE, "rules.0", right("create", "pods")), (BINDING, "", None)),
    ("rbac-no-own-pods", (ROLE, "rules.0", right("create", "pods", resourceNames=[""]))),
    ("rbac-no-own-pods", (REVIEW, "rules.0", right("create", "pods"))),
    ("rbac-no-own-pods", (REVIEW, "rules.0", right("create", "pods")), ("cluster-binding", "", IN_NAMESPACE)),
    ("rbac-no-own-pods", (ON_CALL, "rules.0", right("patch", "daemonsets", group="apps"))),
    ("rbac-no-own-pods", (ON_CALL, "rules.1", right("patch", "jobs", group="batch"))),
    ("rbac-no-own-pods", ("on-call-binding", "subjects.0.name", "crypto:developers")),
    ("rbac-no-own-pods", ("on-call-binding", "subjects", [_GROUP, {"kind": "User", "name": "ada"}])),
    ("rbac-no-own-pods", ("crypto-pod-templates", "spec.failurePolicy", "Ignore")),
    ("rbac-no-own-pods", ("crypto-pod-templates", "spec.validations.0.expression", "true")),
    ("rbac-no-own-pods", ("crypto-jobs-othersBinding", "", None)),
    ("rbac-no-own-pods", ("crypto-jobs-backup-postgresBinding", "spec.validationActions", ["Warn"])),
    (
        "rbac-no-own-pods",
        (REVIEW, "rules.0", right("patch", "deployments", group="apps")),
        ("cluster-binding", "subjects", [_GROUP]),
    ),
    *(
        ("rbac-no-way-to-ports", (ROLE, "rules.0", right("get", each)))
        for each in ("pods/portforward", "pods/proxy", "services/proxy")
    ),
    ("rbac-no-issuing", (ROLE, "rules.0", right("create", "certificates", group="cert-manager.io"))),
    ("rbac-no-issuing", (REVIEW, "rules.0", _ISSUERS)),
    # A role that no binding of the stack gives may be bound by another stack: a ClusterRole everywhere.
    ("rbac-no-issuing", (REVIEW, "rules.0", _ISSUERS), ("cluster-binding", "", None)),
    ("rbac-secrets-by-name", (ROLE, "rules.0.resources", ["*"]), (ROLE, "rules.0.apiGroups", [""])),
    ("rbac-secrets-by-name", (ROLE, "rules.1.resourceNames", [""])),
    ("rbac-secrets-by-name", (ROLE, "rules.1.resourceNames", None)),
    ("rbac-secrets-by-name", (ROLE, "rules.1.resourceNames", [])),
    ("rbac-secrets-by-name", ("backup-role", "rules.0.verbs", ["get", "delete"])),
    ("rbac-secrets-by-name", ("backup-role", "metadata.name", "backup-other")),
    (
        "rbac-secrets-by-name",
        (REVIEW, "metadata.name", "backup-resources"),
        (REVIEW, "rules.0", right("get", "secrets")),
    ),
    ("rbac-cluster-role-reads", (REVIEW, "rules.0.verbs", ["get", "update"])),
    ("rbac-no-cluster-admin", (BINDING, "roleRef.name", "cluster-admin")),
    ("rbac-no-cluster-admin", (BINDING, "roleRef", None)),
    ("rbac-no-cluster-admin", ("cluster-binding", "roleRef.name", "admin")),
    ("rbac-no-cluster-admin", ("cluster-binding", "roleRef.name", "edit")),
    ("rbac-no-namespace-admin", (BINDING, "roleRef", {"kind": "ClusterRole", "name": "admin"})),
    ("rbac-no-namespace-admin", (BINDING, "roleRef", {"kind": "ClusterRole", "name": "edit"})),
    ("rbac-no-anonymous", (BINDING, "subjects.0", {"kind": "Group", "name": "system:masters"})),
    ("rbac-no-anonymous", (BINDING, "subjects", None)),
    ("rbac-no-anonymous", (BINDING, "subjects", [])),
    ("rbac-no-anonymous", (BINDING, "subjects.0", {"kind": "Group", "name": "system:authenticated"})),
    ("rbac-no-anonymous", (BINDING, "subjects.0", {"kind": "Group", "name": "system:serviceaccounts:crypto"})),
    ("rbac-no-anonymous", (BINDING, "subjects.0.name", "default")),
    ("rbac-role-declared", (BINDING, "roleRef.name", "other")),
    ("rbac-role-declared", (BINDING, "roleRef.kind", "User")),
    ("rbac-role-declared", (BINDING, "roleRef.name", "view")),
    ("rbac-role-declared", ("cluster-binding", "roleRef.name", "other")),
    ("rbac-role-declared", (ROLE, "metadata.namespace", "other")),
    ("rbac-account-declared", (BINDING, "subjects.0.name", "other")),
    ("rbac-account-declared", (BINDING, "subjects.0.namespace", "other")),
    ("network-default-deny", ("default-deny", "", None)),
    ("network-default-deny", ("default-deny", "spec.policyTypes", ["Ingress"])),
    ("network-default-deny", ("default-deny", "spec.policyTypes", None)),
    ("network-default-deny", ("default-deny", "spec.egress", [{}])),
    ("network-default-deny", ("default-deny", SELECTOR, {"matchLabels": {"app": "a"}})),
    ("network-default-deny", ("default-deny", SELECTOR, {"matchExpressions": [{"key": "a"}]})),
    ("network-default-deny", ("default-deny", "metadata.namespace", "other")),
    ("network-policy-for-every-pod", (NETWORK, "", None)),
    ("network-policy-for-every-pod", (NETWORK, "metadata.namespace", "other")),
    ("network-policy-for-every-pod", (NETWORK, f"{SELECTOR}.matchLabels.app", "gateway")),
    ("network-policy-for-every-pod", (NETWORK, TYPES, ["Egress"]), ("default-deny", "", None)),
    ("network-policy-for-every-pod", (NETWORK, TYPES, ["Egress"]), ("default-deny", TYPES, ["Egress"])),
    ("network-policy-for-every-pod", (NETWORK, "spec", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})),
    ("network-policy-for-every-pod", ("crypto", "", None), (NETWORK, "", None), ("default-deny", TYPES, ["Egress"])),
    ("network-policy-for-every-pod", (NETWORK, f"{SELECTOR}.matchExpressions", [among("tier", "worker")])),
    ("network-policy-for-every-pod", (NETWORK, f"{SELECTOR}.matchExpressions", [has("app", "DoesNotExist")])),
    ("network-policy-for-every-pod", (NETWORK, SELECTOR, {"matchExpressions": [has("tier")]})),
    ("network-policy-for-every-pod", (NETWORK, f"{SELECTOR}.matchExpressions", [among("app", GATE, operator="NotIn")])),
    ("network-policy-target-exists", (NETWORK, f"{SELECTOR}.matchLabels.app", "gateway")),
    ("network-policy-target-exists", (NETWORK, SELECTOR, {"matchExpressions": [has("tier")]})),
    *(("network-ingress-from-somebody", (NETWORK, FROM, peers)) for peers in _EVERYBODY),
    (
        "network-ingress-from-somebody",
        (NETWORK, "spec.ingress", [opened(80, block("0.0.0.0/3")), opened(80, block("32.0.0.0/3"))]),
    ),
    *(
        (rule, (NETWORK, place, ports))
        for rule, place in (("network-ingress-from-somebody", IN_PORTS), ("network-egress-to-ports", OUT_PORTS))
        for ports in (
            [{"protocol": "TCP"}],
            [{"port": 1, "endPort": 4097}],
            [{"port": 1, "endPort": 3000}, {"port": 3001, "endPort": 4097}],
        )
    ),
    (
        "network-egress-to-ports",
        (NETWORK, "spec.egress", [opened(1, ANY, end=4000, to=True), opened(4001, ANY, end=4097, to=True)]),
    ),
    ("network-policies-add-up", ("other", "", beside(opened(8000, block("0.0.0.0/3")))), IN_PART),
    ("network-policies-add-up", ("other", "", beside(opened(7000, block("0.0.0.0/3"), end=9000))), IN_PART),
    (
        "network-policies-add-up",
        ("other", "", beside(opened(1, ANY, end=4096, to=True), way="egress")),
        (NETWORK, TO, [ANY]),
    ),
    ("network-ingress-from-somebody", (NETWORK, FROM, None)),
    ("network-ingress-from-somebody", (NETWORK, FROM, [])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"ipBlock": {"cidr": "0.0.0.0/0"}}])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"ipBlock": {"cidr": "::/0"}}])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"namespaceSelector": {}}])),
    ("network-ingress-from-somebody", (NETWORK, "spec.ingress.0.ports", None)),
    ("network-ingress-from-somebody", (NETWORK, "spec.ingress.0.ports", [])),
    ("network-egress-to-ports", (NETWORK, TO, None)),
    ("network-egress-to-ports", (NETWORK, TO, [])),
    ("network-egress-to-ports", (NETWORK, "spec.egress.0.ports", None)),
    ("network-egress-to-ports", (NETWORK, "spec.egress.0.ports", [])),
    ("network-ingress-from-somebody", (NETWORK, FROM, [{"ipBlock": {"cidr": "192.0.2.1/0"}}])),
    ("network-egress-narrowed", (NETWORK, TO, [ANYWHERE])),
    ("network-egress-narrowed", (NETWORK, TO, [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "::/0"}}])),
    ("network-egress-narrowed", (NETWORK, TO, [{"ipBlock": {"cidr": "::0/0"}}])),
    ("network-egress-narrowed", (NETWORK, TO, [{"namespaceSelector": {}}])),
    ("network-policy-types-stated", (NETWORK, "spec.policyTypes", None)),
    ("network-policy-types-stated", (NETWORK, "spec.policyTypes", [])),
    ("network-policy-types-stated", (NETWORK, "spec.policyTypes", ["Ingress"])),
    ("network-policy-types-stated", (NETWORK, "spec.policyTypes", ["Egress"])),
    ("ingress-tls", ("ingress", "spec.tls", None)),
    ("ingress-tls", ("ingress", HOSTS, ["other.example.com"])),
    ("ingress-tls", ("ingress", "spec.rules.0.host", None)),
    ("ingress-tls", ("ingress", "spec.tls.0.secretName", None)),
    ("ingress-tls", ("ingress", "spec.tls.0.secretName", "")),
    ("ingress-certificate-declared", (CERTIFICATE, "", None)),
    ("ingress-certificate-declared", (CERTIFICATE, "spec.dnsNames", ["other.example.com"])),
    ("ingress-certificate-declared", (CERTIFICATE, "spec.secretName", "other")),
    ("ingress-certificate-declared", (CERTIFICATE, "metadata.namespace", "other")),
    ("ingress-backend-declared", ("ingress", f"{BACKEND}.name", "gateway")),
    ("ingress-backend-declared", ("ingress", f"{BACKEND}.name", None)),
    ("ingress-backend-declared", ("ingress", f"{BACKEND}.port.number", 8001)),
    ("ingress-backend-declared", ("ingress", f"{BACKEND}.port", {})),
    ("ingress-class-stated", ("ingress", "spec.ingressClassName", None)),
    ("ingress-class-stated", ("ingress", "spec.ingressClassName", "")),
    ("service-inside-only", ("api-gateway-service", "spec.type", "NodePort")),
    ("service-inside-only", ("api-gateway-service", "spec.externalIPs", ["192.0.2.1"])),
    ("certificate-renewal", (CERTIFICATE, "spec.renewBefore", f"{21 * DAY}h")),
    ("certificate-renewal", (CERTIFICATE, "spec.renewBefore", None)),
    ("certificate-renewal", (CERTIFICATE, "spec.duration", f"{60 * DAY - 1}h59m59s")),
    ("certificate-duration", (CERTIFICATE, "spec.duration", f"{398 * DAY}h0m1s")),
    ("certificate-duration", (CERTIFICATE, "spec.duration", "0s")),
    ("certificate-duration", (CERTIFICATE, "spec.duration", None)),
    ("certificate-key", (CERTIFICATE, "spec.privateKey.rotationPolicy", "Never")),
    ("certificate-key", (CERTIFICATE, "spec.privateKey", None)),
    (
        "certificate-key",
        (CERTIFICATE, "spec.privateKey", {"rotationPolicy": "Always", "algorithm": "RSA", "size": 2047}),
    ),
    ("certificate-key", (CERTIFICATE, "spec.privateKey", {"rotationPolicy": "Always", "size": 1024})),
    ("certificate-key", (CERTIFICATE, "spec.privateKey.algorithm", "DSA")),
    ("certificate-issuer-declared", ("issuer", "", None)),
    ("certificate-issuer-declared", (CERTIFICATE, "spec.issuerRef.kind", "Issuer")),
    ("certificate-issuer-declared", (CERTIFICATE, "spec.issuerRef.name", None)),
    ("issuer-reachable", ("issuer", "spec.acme.server", "http://acme.example.com")),
    ("issuer-reachable", ("issuer", "spec.acme.email", None)),
    ("issuer-reachable", ("issuer", "spec.acme.email", "ops")),
    ("issuer-reachable", ("issuer", "spec", {})),
]

WAITS: list[Waiting] = [
    ("certificate-renewal", CERTIFICATE, "spec.duration"),
    ("rbac-no-wildcards", ROLE, "rules.0.verbs"),
    ("rbac-no-escalation", ROLE, "rules.0"),
    ("rbac-no-escalation", ROLE, "rules.1.resources"),
    ("rbac-no-own-pods", ROLE, "rules.0.verbs"),
    ("rbac-no-way-to-ports", ROLE, "rules"),
    ("rbac-no-issuing", ROLE, "rules"),
    ("rbac-secrets-by-name", ROLE, "rules.0"),
    ("rbac-secrets-by-name", ROLE, "rules.1.resourceNames"),
    ("rbac-cluster-role-reads", REVIEW, "rules"),
    ("rbac-no-cluster-admin", BINDING, "roleRef"),
    ("rbac-no-namespace-admin", BINDING, "roleRef.name"),
    ("rbac-no-anonymous", BINDING, "subjects"),
    ("rbac-role-declared", BINDING, "roleRef.name"),
    ("rbac-role-declared", BINDING, "roleRef.kind"),
    ("rbac-role-declared", ROLE, "metadata.name"),
    ("rbac-account-declared", BINDING, "subjects.0.name"),
    ("rbac-account-declared", "ops-account", "metadata.name"),
    ("network-default-deny", "default-deny", "spec.policyTypes"),
    ("network-default-deny", "default-deny", SELECTOR),
    ("network-policy-for-every-pod", NETWORK, SELECTOR),
    ("network-policy-target-exists", NETWORK, f"{SELECTOR}.matchLabels.app"),
    ("network-ingress-from-somebody", NETWORK, FROM),
    ("network-ingress-from-somebody", NETWORK, f"{FROM}.0.podSelector"),
    ("network-egress-to-ports", NETWORK, TO),
    ("network-egress-narrowed", NETWORK, f"{TO}.0.ipBlock.cidr"),
    ("network-policy-types-stated", NETWORK, "spec.policyTypes"),
    ("network-policies-add-up", "default-deny", "spec.egress"),
    ("ingress-tls", "ingress", "spec.tls"),
    ("ingress-tls", "ingress", "spec.rules.0.host"),
    ("ingress-certificate-declared", "ingress", HOSTS),
    ("ingress-certificate-declared", CERTIFICATE, "spec.dnsNames"),
    ("ingress-certificate-declared", CERTIFICATE, "spec.secretName"),
    ("ingress-backend-declared", "ingress", f"{BACKEND}.name"),
    ("ingress-backend-declared", "ingress", f"{BACKEND}.port.number"),
    ("ingress-backend-declared", "api-gateway-service", "spec.ports.0.port"),
    ("ingress-class-stated", "ingress", "spec.ingressClassName"),
    ("service-inside-only", "api-gateway-service", "spec.type"),
    ("certificate-renewal", CERTIFICATE, "spec.renewBefore"),
    ("certificate-renewal", CERTIFICATE, "spec.duration"),
    ("certificate-duration", CERTIFICATE, "spec.duration"),
    ("certificate-key", CERTIFICATE, "spec.privateKey.rotationPolicy"),
    ("certificate-issuer-declared", CERTIFICATE, "spec.issuerRef.kind"),
    ("certificate-issuer-declared", CERTIFICATE, "spec.issuerRef.name"),
    ("certificate-issuer-declared", "issuer", "metadata.name"),
    ("issuer-reachable", "issuer", "spec.acme.server"),
]
