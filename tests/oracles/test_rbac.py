"""A rule of RBAC allows what the real API server allows, and a way leads where the evaluator says it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runbook import escalation
from runbook.escalation import Way
from runbook.rbac import Request, Rule
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from tests.services.api_server import api_server
from tests.waiting import wait_until

# Compilers are waited for by the fixture of the tools; etcd and the API server take some seconds.
pytestmark = pytest.mark.timeout(3600)
_IN_SUITE = settings().max_examples <= 100
_EXAMPLES = 100 if _IN_SUITE else settings().max_examples // 4
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_API = "rbac.authorization.k8s.io"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
# What every role of a test also allows: once the server says so, it has read the role and its binding.
_READ = Request("read-it", "signs", "example.com")


@dataclass
class Authorizer:
    """The API server's own verdict on rules that an account of its own is given."""

    admin: Cluster
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def given(self, rules: Sequence[Rule], *, everywhere: bool) -> str:
        """An account with these rules, by a ClusterRoleBinding or by a RoleBinding; its user name."""
        name = f"subject-{next(self.numbers)}"
        sign = Rule((_READ.verb,), (_READ.resource,), (_READ.group,))
        content: list[dict[str, Any]] = [_stated(rule) for rule in (*rules, sign)]
        self.admin.create(f"{_RBAC}/clusterroles", {"metadata": {"name": name}, "rules": content})
        place = f"{_RBAC}/clusterrolebindings" if everywhere else f"{_RBAC}/namespaces/default/rolebindings"
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": _API, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
        }
        self.admin.create(place, binding)
        user = f"system:serviceaccount:default:{name}"
        wait_until(lambda: self.allows(user, _READ), "the server has read the role and its binding")
        return user

    def allows(self, user: str, request: Request) -> bool:
        """Whether the server allows a request of a user."""
        resource, _, subresource = request.resource.partition("/")
        attributes = {
            "verb": request.verb,
            "group": request.group,
            "resource": resource,
            "subresource": subresource,
            "name": request.name,
            "namespace": "" if request.cluster else "default",
        }
        asked = {"path": request.url, "verb": request.verb} if request.url else attributes
        spec = {"user": user, "nonResourceAttributes" if request.url else "resourceAttributes": asked}
        return self.admin.create(_REVIEWS, {"spec": spec})["status"]["allowed"]


def _stated(rule: Rule) -> dict[str, Any]:
    if rule.urls:
        return {"verbs": rule.verbs, "nonResourceURLs": rule.urls}
    return {
        "verbs": rule.verbs,
        "apiGroups": rule.groups,
        "resources": rule.resources,
        "resourceNames": rule.names,
    }


@pytest.fixture(scope="module")
def authorizer(tools_bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authorizer]:
    with api_server(tools_bin_dir) as server:
        kubeconfig = server.kubeconfig(tmp_path_factory.mktemp("rbac") / "admin")
        with kubernetes.connect(20, kubeconfig) as admin:
            yield Authorizer(admin)


_VERBS = ("get", "list", "create", "patch", "delete", "deletecollection", "impersonate", "odd", "*")
_GROUPS = ("", "apps", "batch", "rbac.authorization.k8s.io", "*")
_RESOURCES = ("pods", "pods/exec", "pods/log", "deployments", "deployments/scale", "secrets", "nodes", "nodes/proxy",
              "exec", "signers", "userextras/scopes", "pods/*")  # fmt: skip
_STATED = (*_RESOURCES, "*", "*/exec", "*/scale", "*/*", "*exec", "po*", "pods/", "*/", "/exec", "*/pods/exec")
_NAMES = ("", "a", "b", "*")
_URLS = ("/metrics", "/metrics/", "/metrics/a/b", "/healthz", "/", "/api/v1", "/m*")
_PATTERNS = (*_URLS, "*", "/*", "/metrics*", "/metrics/*", "/*/a", "/met**", "**")


def _some(values: Sequence[str], least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3, unique=True).map(tuple)


_OF_RESOURCES = st.builds(Rule, _some(_VERBS), _some(_STATED), _some(_GROUPS), _some(_NAMES, 0))
_OF_URLS = st.builds(Rule, _some(_VERBS), urls=_some(_PATTERNS))
_RULES = st.lists(st.one_of(_OF_RESOURCES, _OF_RESOURCES, _OF_URLS), min_size=1, max_size=2)


def _near(rule: Rule) -> Iterator[Request]:
    """A request in the words of a rule, and those that differ from it in one thing."""
    verb = next((verb for verb in rule.verbs if verb != "*"), "get")
    if rule.urls:
        yield from (Request(verb, url=url) for url in _URLS)
        yield Request("odd", url=_URLS[0])
        return
    group, name = (next((each for each in words if each != "*"), "") for words in (rule.groups, rule.names))
    kinds = {resource.partition("/")[0] for resource in rule.resources} - {"", "*"} or {"pods"}
    own = Request(verb, min(kinds), group, name)
    parts = {"", "exec", "scale", *(resource.partition("/")[2] for resource in rule.resources)}
    # No path of a request has an empty part.
    resources = sorted(f"{kind}/{part}".rstrip("/") for kind in kinds for part in parts)
    yield from (replace(own, resource=resource) for resource in resources)
    yield from (replace(own, verb=other) for other in ("odd", "deletecollection"))
    yield from (replace(own, group=other) for other in ("", "batch"))
    yield from (replace(own, name=other) for other in ("", "b"))
    yield replace(own, cluster=True)


_HARD = (
    (Rule(("get",), ("pods/*",), ("",)), Request("get", "pods/exec"), False),
    (Rule(("get",), ("pods/*",), ("",)), Request("get", "pods"), False),
    (Rule(("get",), ("pods",), ("",)), Request("get", "pods/exec"), False),
    (Rule(("get",), ("*",), ("",)), Request("get", "pods/exec"), True),
    (Rule(("get",), ("*/exec",), ("",)), Request("get", "pods/exec"), True),
    (Rule(("get",), ("*/exec",), ("",)), Request("get", "exec"), False),
    (Rule(("get",), ("*/*",), ("",)), Request("get", "pods/exec"), False),
    (Rule(("get",), ("*exec",), ("",)), Request("get", "pods/exec"), False),
    (Rule(("create",), ("pods",), ("",), ("a",)), Request("create", "pods"), False),
    (Rule(("create",), ("pods",), ("",), ("a", "")), Request("create", "pods"), True),
    (Rule(("create",), ("pods/exec",), ("",), ("a",)), Request("create", "pods/exec", name="a"), True),
    (Rule(("list",), ("secrets",), ("",), ("*",)), Request("list", "secrets"), False),
    (Rule(("list",), ("secrets",), ("",), ("a",)), Request("list", "secrets", name="a"), True),
    (Rule(("delete",), ("pods",), ("",)), Request("deletecollection", "pods"), False),
    (Rule(("*",), ("pods",), ("",)), Request("deletecollection", "pods"), True),
    (Rule(("patch",), ("namespaces",), ("",)), Request("patch", "namespaces", name="default"), True),
    (Rule(("get",), ("nodes/proxy",), ("",)), Request("get", "nodes/proxy", name="a", cluster=True), False),
    (Rule(("get",), urls=("/metrics/*",)), Request("get", url="/metrics/a"), False),
)


@pytest.mark.parametrize(("rule", "request_", "allowed"), _HARD, ids=str)
def test_what_is_easily_misread_is_read_as_the_api_server_does(
    authorizer: Authorizer, rule: Rule, request_: Request, allowed: bool
) -> None:
    user = authorizer.given([rule], everywhere=False)
    assert authorizer.allows(user, request_) is allowed
    assert rule.allows(request_, everywhere=False) is allowed


@settings(
    max_examples=_EXAMPLES,
    derandomize=_IN_SUITE,
    # Without the one that makes a failing example smaller: each step of it asks the server a dozen times.
    phases=(Phase.generate,),
    report_multiple_bugs=False,
    suppress_health_check=(HealthCheck.too_slow,),
)
@given(_RULES, st.booleans())
def test_a_rule_allows_what_the_api_server_allows(authorizer: Authorizer, rules: list[Rule], everywhere: bool) -> None:
    user = authorizer.given(rules, everywhere=everywhere)
    for request in sorted({request for rule in rules for request in _near(rule)}, key=str):
        ours = any(rule.allows(request, everywhere=everywhere) for rule in rules)
        assert ours == authorizer.allows(user, request), request


def _requests(way: Way) -> Iterator[Request]:
    for key in way.keys:
        for resource in key.resources:
            extra = "/scopes" if resource == "userextras" else ""
            yield from (Request(verb, resource + extra, key.group, "", key.cluster) for verb in key.verbs)


@pytest.mark.parametrize("everywhere", [False, True], ids=["namespace", "cluster"])
def test_a_way_is_open_by_exactly_those_of_its_rights_that_the_api_server_grants(
    authorizer: Authorizer, everywhere: bool
) -> None:
    for way in escalation.WAYS:
        requests = list(_requests(way))
        # One role with all of them; what it may then do is what each of them alone would open.
        rules = [Rule((asked.verb,), (asked.resource,), (asked.group,)) for asked in requests]
        user = authorizer.given(rules, everywhere=everywhere)
        for rule, asked in zip(rules, requests, strict=True):
            opened = [each.way for each in escalation.openings([rule], everywhere=everywhere)]
            assert (way in opened) == authorizer.allows(user, asked), asked


def test_the_servers_own_roles_open_what_is_told_of_them(authorizer: Authorizer) -> None:
    def rules(*names: str) -> list[Rule]:
        stated = [rule for name in names for rule in authorizer.admin.get(f"{_RBAC}/clusterroles/{name}")["rules"]]
        keys = ("verbs", "resources", "apiGroups", "resourceNames", "nonResourceURLs")
        return [Rule(*(tuple(rule.get(key, ())) for key in keys)) for rule in stated]

    # Without its controllers, nothing has put together yet what `admin`, `edit` and `view` are aggregated from.
    parts = {"view": ["view"], "edit": ["view", "edit"], "admin": ["view", "edit", "admin"]}
    opened: dict[str, set[Way]] = {}
    for name, ones in parts.items():
        own = rules(*(f"system:aggregate-to-{one}" for one in ones))
        opened[name] = {each.way for each in escalation.openings(own, everywhere=False)}
    # cert-manager brings its own rights along.
    told = {name: set(ways) - {escalation.CERT_MANAGER} for name, ways in escalation.BUILT_IN.items()}
    assert opened == {"view": set(), "edit": told["edit"], "admin": told["admin"]}
    whole = escalation.openings(rules("cluster-admin"), everywhere=True)
    assert {each.way for each in whole} == escalation.BUILT_IN["cluster-admin"]
