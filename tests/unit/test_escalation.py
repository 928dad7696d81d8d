"""Each way from a right to more rights is found once, and what is near it and harmless is not."""

from __future__ import annotations

import pytest

from runbook import escalation as ways
from runbook.escalation import Way, openings, wildcards
from runbook.rbac import Request, Rule

_RBAC, _AUTH = "rbac.authorization.k8s.io", "authentication.k8s.io"
_ADMISSION, _CERTIFICATES = "admissionregistration.k8s.io", "certificates.k8s.io"


def rule(verb: str, resource: str, group: str = "", *names: str) -> Rule:
    return Rule((verb,), (resource,), (group,), names)


def opened(*rules: Rule, everywhere: bool = True) -> set[Way]:
    return {opening.way for opening in openings(rules, everywhere=everywhere)}


_EACH: tuple[tuple[Way, Rule], ...] = (
    *((ways.OWN_PODS, rule("create", name)) for name in ("pods", "replicationcontrollers", "podtemplates")),
    *(
        (ways.OWN_PODS, rule(verb, name, "apps"))
        for name in ("daemonsets", "deployments", "replicasets", "statefulsets")
        for verb in ("create", "update", "patch")
    ),
    *((ways.OWN_PODS, rule("patch", name, "batch")) for name in ("jobs", "cronjobs")),
    (ways.OWN_PODS, rule("create", "prometheuses", "monitoring.coreos.com")),
    (ways.SHELL, rule("create", "pods/exec")),
    (ways.SHELL, rule("get", "pods/exec")),
    (ways.SHELL, rule("create", "pods/attach")),
    (ways.SHELL, rule("patch", "pods/ephemeralcontainers")),
    (ways.REACH_PORTS, rule("create", "pods/portforward")),
    (ways.REACH_PORTS, rule("get", "pods/proxy")),
    (ways.REACH_PORTS, rule("update", "services/proxy")),
    (ways.TOKENS, rule("create", "serviceaccounts/token")),
    *((ways.IMPERSONATION, rule("impersonate", name)) for name in ("users", "groups", "serviceaccounts")),
    *((ways.IMPERSONATION, rule("impersonate", name, _AUTH)) for name in ("uids", "userextras/scopes", "*/scopes")),
    (ways.IMPERSONATION, rule("impersonate:user-info", "users", _AUTH)),
    (ways.IMPERSONATION, rule("impersonate:serviceaccount", "serviceaccounts", _AUTH)),
    (ways.IMPERSONATION, rule("impersonate:arbitrary-node", "nodes", _AUTH)),
    *((ways.RAISE_RIGHTS, rule("bind", name, _RBAC)) for name in ("roles", "clusterroles")),
    *((ways.RAISE_RIGHTS, rule("escalate", name, _RBAC)) for name in ("roles", "clusterroles")),
    *(
        (ways.HAND_ON_RIGHTS, rule("create", name, _RBAC))
        for name in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    ),
    *(
        (ways.ADMISSION, rule(verb, f"{what}{name}", _ADMISSION))
        for verb in ("create", "delete", "deletecollection")
        for what in ("mutating", "validating")
        for name in ("webhookconfigurations", "admissionpolicies", "admissionpolicybindings")
    ),
    (ways.SIGNING, rule("update", "certificatesigningrequests/approval", _CERTIFICATES)),
    (ways.SIGNING, rule("patch", "certificatesigningrequests/status", _CERTIFICATES)),
    (ways.SIGNING, rule("approve", "signers", _CERTIFICATES, "kubernetes.io/kube-apiserver-client")),
    (ways.SIGNING, rule("sign", "signers", _CERTIFICATES)),
    (ways.KUBELET, rule("get", "nodes/proxy")),
    (ways.NODES, rule("patch", "nodes")),
    (ways.NODES, rule("patch", "nodes/status")),
    (ways.NODES, rule("create", "pods/binding")),
    (ways.NODES, rule("create", "bindings")),
    (ways.VOLUMES, rule("create", "persistentvolumes")),
    (ways.EXTEND_API, rule("update", "apiservices", "apiregistration.k8s.io")),
    (ways.EXTEND_API, rule("create", "customresourcedefinitions", "apiextensions.k8s.io")),
    (ways.POD_SECURITY, rule("patch", "namespaces")),
    *((ways.READ_SECRETS, rule(verb, "secrets")) for verb in ("get", "list", "watch")),
    *((ways.CERT_MANAGER, rule("create", name, "cert-manager.io")) for name in ("issuers", "certificates")),
    (ways.CERT_MANAGER, rule("patch", "clusterissuers", "cert-manager.io")),
)


@pytest.mark.parametrize(("way", "given"), _EACH, ids=str)
def test_each_way_is_found_by_the_right_that_opens_it(way: Way, given: Rule) -> None:
    assert opened(given) == {way}


def test_every_way_is_tried() -> None:
    assert {way for way, _ in _EACH} == set(ways.WAYS)


@pytest.mark.parametrize(
    "given",
    [
        rule("delete", "pods"),
        rule("create", "pods/eviction"),
        rule("create", "pods", "apps"),
        rule("patch", "deployments/scale", "apps"),
        rule("patch", "*/scale", "apps"),
        rule("create", "pods/*"),
        rule("patch", "cronjobs/status", "batch"),
        rule("patch", "deployments", "apps", ""),
        rule("create", "jobs", "batch", "a"),
        rule("delete", "pods/exec"),
        rule("get", "pods/log"),
        rule("create", "exec"),
        rule("get", "serviceaccounts/token"),
        rule("create", "serviceaccounts"),
        rule("create", "users"),
        rule("impersonate", "pods"),
        rule("impersonate", "userextras", _AUTH),
        rule("escalate", "pods", _RBAC),
        rule("bind", "roles"),
        rule("delete", "roles", _RBAC),
        rule("list", "validatingwebhookconfigurations", _ADMISSION),
        rule("create", "certificatesigningrequests", _CERTIFICATES),
        rule("create", "signers", _CERTIFICATES),
        rule("get", "nodes"),
        rule("get", "nodes/metrics"),
        rule("create", "persistentvolumeclaims"),
        rule("delete", "apiservices", "apiregistration.k8s.io"),
        rule("get", "namespaces"),
        rule("patch", "namespaces/status"),
        rule("create", "secrets"),
        rule("get", "secrets", "example.com"),
        rule("deletecollection", "secrets"),
        rule("get", "certificates", "cert-manager.io"),
        Rule(("get",), urls=("*",)),
        Rule((), ("pods",), ("",)),
    ],
    ids=str,
)
def test_what_is_near_a_way_opens_none(given: Rule) -> None:
    assert opened(given) == set()


def test_inside_a_namespace_nothing_opens_what_belongs_to_none() -> None:
    everything = Rule(("*",), ("*",), ("*",))
    assert opened(everything) == set(ways.WAYS)
    outside = {ways.ADMISSION, ways.SIGNING, ways.KUBELET, ways.VOLUMES, ways.EXTEND_API}
    assert opened(everything, everywhere=False) == set(ways.WAYS) - outside
    assert opened(rule("impersonate", "users"), everywhere=False) == set()
    # A request for a namespace belongs to it, and `bind` is asked where the binding is made.
    assert opened(rule("patch", "namespaces"), everywhere=False) == {ways.POD_SECURITY}
    assert opened(rule("bind", "clusterroles", _RBAC), everywhere=False) == {ways.RAISE_RIGHTS}
    assert opened(rule("escalate", "clusterroles", _RBAC), everywhere=False) == set()


@pytest.mark.parametrize(
    ("given", "limited"),
    [
        (rule("get", "secrets", "", "a"), True),
        (rule("list", "secrets", "", "a"), True),
        (rule("list", "secrets", "", "a", ""), False),
        (rule("get", "secrets"), False),
        (rule("create", "serviceaccounts/token", "", "a"), True),
        (rule("create", "serviceaccounts/token"), False),
        # What these lead to is no less for a name.
        (rule("create", "pods/exec", "", "a"), False),
        (rule("patch", "deployments", "apps", "a"), False),
    ],
    ids=str,
)
def test_names_limit_what_is_read_and_not_what_is_run(given: Rule, limited: bool) -> None:
    (opening,) = openings([given], everywhere=False)
    assert opening.limited is limited


def test_one_right_without_names_is_enough_to_be_unlimited() -> None:
    (opening,) = openings([rule("get", "secrets", "", "a"), rule("list", "secrets")], everywhere=False)
    assert not opening.limited


def test_a_right_on_the_creation_of_objects_cannot_be_limited_by_name_but_by_the_empty_one() -> None:
    assert opened(rule("create", "pods", "", "a")) == set()
    assert opened(rule("create", "pods", "", "a", "")) == {ways.OWN_PODS}


def test_an_opening_tells_the_part_of_the_rules_that_opens_it() -> None:
    mixed = Rule(("get", "create", "patch"), ("deployments", "services", "pods"), ("", "apps"))
    (opening,) = openings([mixed, rule("delete", "pods"), rule("patch", "jobs", "batch", "a")], everywhere=False)
    assert str(opening) == "create, patch pods; create, patch deployments (apps); patch jobs (batch) named a"


@pytest.mark.parametrize(
    ("given", "wild"),
    [
        (rule("*", "pods"), ["verbs"]),
        (rule("get", "*", "*"), ["resources", "API groups"]),
        (rule("get", "*/exec"), ["resources"]),
        (rule("get", "*/scale", "apps"), ["resources"]),
        (rule("get", "pods/*"), ["resources"]),
        (Rule(("get",), urls=("/*",)), ["URLs"]),
        (Rule(("get",), urls=("/metrics/*",)), []),
        (rule("get", "pods", "", "*"), []),
    ],
    ids=str,
)
def test_what_is_not_written_out_is_told(given: Rule, wild: list[str]) -> None:
    assert wildcards(given) == wild


@pytest.mark.parametrize(
    ("role", "everywhere", "policy"),
    [
        ("view", True, None),
        ("edit", False, "rbac-no-namespace-admin"),
        ("admin", False, "rbac-no-namespace-admin"),
        ("edit", True, "rbac-no-cluster-admin"),
        ("cluster-admin", False, "rbac-no-cluster-admin"),
    ],
)
def test_kubernetes_own_roles_have_a_policy_by_how_far_a_binding_reaches(
    role: str, everywhere: bool, policy: str | None
) -> None:
    assert ways.policy_of_built_in(role, everywhere=everywhere) == policy


def test_a_url_is_allowed_by_its_pattern_and_by_a_cluster_role_binding_alone() -> None:
    metrics = Rule(("get",), urls=("/metrics/*",))
    assert metrics.allows(Request("get", url="/metrics/a"), everywhere=True)
    assert not metrics.allows(Request("get", url="/metrics"), everywhere=True)
    assert not metrics.allows(Request("get", url="/metrics/a"), everywhere=False)
