"""Rules about roles and who has them (section 7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect, undecided
from policies.plain import Node
from runbook import jobs
from runbook.sections import Section

_LISTS: Final = ("apiGroups", "resources", "verbs", "nonResourceURLs")
_RISING_VERBS: Final = frozenset({"escalate", "bind", "impersonate"})
# Whoever may do these does what the pod, the node or the account may.
_RISING_RESOURCES: Final = frozenset({"pods/exec", "pods/attach", "nodes/proxy", "pods/ephemeralcontainers"})
_TOKENS: Final = "serviceaccounts/token"
_READING: Final = ("get", "list", "watch")
_BUILT_IN: Final = ("view", "edit", "admin", "cluster-admin")
_EVERYBODY: Final = frozenset(
    {"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts", "system:masters"}
)
# A backup of the namespace's objects has to read all Secrets: it encrypts them for a key that it has not.
READS_ALL_SECRETS: Final = frozenset(
    job.name for job in jobs.ALL if any("secrets" in right.resources and not right.names for right in job.rights)
)


def _without(node: Node, wrong: frozenset[str], allowed: str) -> Iterable[Judgement]:
    for element in node.elements():
        yield expect(element, lambda value: isinstance(value, str) and value not in wrong, allowed)


def _wildcards(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("rules").elements():
        for key in _LISTS:
            yield from _without(rule.at(key), frozenset({"*"}), "names, and no *")


def _escalation(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("rules").elements():
        yield from _without(rule.at("verbs"), _RISING_VERBS, f"no {', '.join(sorted(_RISING_VERBS))}")
        named = rule.at("resourceNames").value != [] and rule.at("resourceNames").present
        wrong = _RISING_RESOURCES if named else _RISING_RESOURCES | {_TOKENS}
        yield from _without(rule.at("resources"), wrong, f"no {', '.join(sorted(wrong))}")


def _secrets(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    reads_all = resource.kind == kinds.ROLE and resource.object_name in READS_ALL_SECRETS
    for rule in resource.at("rules").elements():
        resources = [element.value for element in rule.at("resources").elements()]
        if "secrets" not in resources:
            if rule.at("resources").unknown:
                yield undecided(rule.at("resources").path, "no Secrets but by name")
            continue
        if not reads_all:
            names = rule.at("resourceNames")
            yield expect(names, lambda value: isinstance(value, list) and bool(value), "the Secrets by their names")
            continue
        for verb in rule.at("verbs").elements():
            yield expect(verb, lambda value: value in _READING, "get, list or watch: a backup changes nothing")


def _cluster_role(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("rules").elements():
        for verb in rule.at("verbs").elements():
            yield expect(verb, lambda value: value in _READING, "get, list or watch")


def _no_admin(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    # `admin` and `edit` end at the namespace's border only where a RoleBinding gives them.
    wrong = ("cluster-admin",) if resource.kind == kinds.ROLE_BINDING else ("cluster-admin", "admin", "edit")
    role = resource.at("roleRef", "name")
    yield expect(
        role, lambda value: isinstance(value, str) and value not in wrong, f"a role other than {', '.join(wrong)}"
    )


def _subjects(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    subjects = resource.at("subjects")
    yield expect(subjects, lambda value: isinstance(value, list) and bool(value), "at least one subject")
    for subject in subjects.elements():
        name = subject.at("name")
        yield expect(name, lambda value: isinstance(value, str) and _somebody(value), "one group or account")
        if subject.at("kind").text == "ServiceAccount":
            yield expect(name, lambda value: value != "default", "an account other than default")


def _somebody(name: str) -> bool:
    return name not in _EVERYBODY and not name.startswith("system:serviceaccounts:")


def _role_exists(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for binding in index.of(*sorted(kinds.BINDINGS)):
        reference = binding.at("roleRef")
        kind, name = reference.at("kind").text, reference.at("name").text
        allowed = "a role that the stack declares, or one of Kubernetes' own"
        if kind == "ClusterRole" and name in _BUILT_IN:
            found: bool | None = True
        elif kind == "ClusterRole":
            found = index.named(kinds.CLUSTER_ROLE, name, None)
        elif kind == "Role":
            found = index.named(kinds.ROLE, name, binding.namespace)
        else:
            found = None if reference.at("kind").hidden else False
        if found is None:
            yield binding, undecided(reference.path, allowed)
        else:
            yield binding, decide(found, reference.at("name").path, f'"{name}", which nothing declares', allowed)


def _subject_exists(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for binding in index.of(*sorted(kinds.BINDINGS)):
        for subject in binding.at("subjects").elements():
            if subject.at("kind").text != "ServiceAccount":
                continue
            name = subject.at("name")
            found = index.named(kinds.SERVICE_ACCOUNT, name.text, subject.at("namespace").text or binding.namespace)
            allowed = "a ServiceAccount that the stack declares"
            yield binding, decide(found, name.path, f'"{name.text}", which nothing declares', allowed)


def _meta(
    name: str, description: str, severity: Severity, remediation: str, reference: str = "", *, waivable: bool = True
) -> Meta:
    section = Section.ACCESS_REVIEW
    return Meta(name, description, severity, section, remediation, reference=reference, waivable=waivable)


_IS_ROLE: Final = kinds.one_of(*kinds.ROLES)
_IS_BINDING: Final = kinds.one_of(*kinds.BINDINGS)

RULES: Final = (
    _meta(
        "rbac-no-wildcards",
        "A role names what it allows.",
        Severity.CRITICAL,
        "Write out apiGroups, resources and verbs.",
        "CIS Kubernetes 5.1.3; NSA Kubernetes Hardening Guide: role-based access control",
        waivable=False,
    ).of_resource(_IS_ROLE, _wildcards),
    _meta(
        "rbac-no-escalation",
        "No role lets its holder become somebody else, or get a shell in a pod.",
        Severity.CRITICAL,
        "Leave these verbs and resources out; tokens only for accounts by name (resourceNames).",
        "CIS Kubernetes 5.1.8, 5.1.10, 5.1.13",
        waivable=False,
    ).of_resource(_IS_ROLE, _escalation),
    _meta(
        "rbac-secrets-by-name",
        "A role reaches Secrets by their names; only the backup of resources reads all.",
        Severity.HIGH,
        "Add resourceNames to the rule, and take secrets out of rules without them.",
        "CIS Kubernetes 5.1.2",
    ).of_resource(_IS_ROLE, _secrets),
    _meta(
        "rbac-cluster-role-reads",
        "What reaches beyond the namespace only reads.",
        Severity.HIGH,
        "Use get, list and watch in a ClusterRole, or a Role in the namespace.",
        "CIS Kubernetes 5.1.1",
    ).of_resource(kinds.one_of(kinds.CLUSTER_ROLE), _cluster_role),
    _meta(
        "rbac-no-cluster-admin",
        "Nobody is given the whole cluster.",
        Severity.CRITICAL,
        "Bind a role of the namespace; break-glass access is admin inside the namespace.",
        "CIS Kubernetes 5.1.1",
        waivable=False,
    ).of_resource(_IS_BINDING, _no_admin),
    _meta(
        "rbac-no-anonymous",
        "A role is given to somebody, and not to everybody.",
        Severity.CRITICAL,
        "Name one group of the identity provider or one ServiceAccount.",
        "CIS Kubernetes 5.1.5, 5.1.7; NSA Kubernetes Hardening Guide: authentication",
        waivable=False,
    ).of_resource(_IS_BINDING, _subjects),
    _meta(
        "rbac-role-declared",
        "A binding gives a role that exists.",
        Severity.MEDIUM,
        "Declare the role, or name one of Kubernetes' own: view, edit, admin.",
    ).of_stack(_role_exists),
    _meta(
        "rbac-account-declared",
        "A binding gives its role to an account that exists.",
        Severity.MEDIUM,
        "Declare the ServiceAccount: whoever creates one of that name later gets the role.",
    ).of_stack(_subject_exists),
)
