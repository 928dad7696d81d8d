"""Rules about roles and who has them (section 7.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from policies import kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, StackJudge, decide, expect, undecided
from policies.plain import MISSING, SECRET, UNKNOWN, Node, Plain
from runbook import admission, escalation, jobs, rbac
from runbook.escalation import Opening
from runbook.sections import Section

_LISTS: Final = ("apiGroups", "resources", "verbs")
_READING: Final = ("get", "list", "watch")
_BUILT_IN: Final = ("view", *escalation.BUILT_IN)
_MASTERS: Final = "system:masters"
# A backup of the namespace's objects has to read all Secrets: it encrypts them for a key that it has not.
READS_ALL_SECRETS: Final = frozenset(
    job.name for job in jobs.ALL if any("secrets" in right.resources and not right.names for right in job.rights)
)


def _texts(node: Node, *, unknown: bool) -> tuple[str, ...]:
    """The texts of a list. A secret stands for everything, and so does what is unknown where ``unknown`` says so."""
    hidden = (SECRET, UNKNOWN) if unknown else (SECRET,)
    values = (rbac.ALL if element.value in hidden else element.text for element in node.elements())
    return tuple(value for value in values if value is not None)


def _read(rule: Node, *, unknown: bool) -> rbac.Rule:
    """A rule as it is known, or as it may turn out to be at most (``unknown``)."""
    # The API server refuses a rule without groups: it is taken for one of all.
    groups = _texts(rule.at("apiGroups"), unknown=unknown) if rule.at("apiGroups").present else (rbac.ALL,)
    names = rule.at("resourceNames")
    known = ("?" if element.text is None else element.text for element in names.elements())
    limited = () if unknown and names.unknown else tuple(known)
    verbs, resources = (_texts(rule.at(key), unknown=unknown) for key in ("verbs", "resources"))
    return rbac.Rule(verbs, resources, groups, limited)


def _openings(
    rules: Iterable[Node], policy: str, *, everywhere: bool, unknown: bool, bound: bool = False
) -> list[Opening]:
    """What rules open of the ways that a policy is about, for subjects that admission has ``bound`` or not."""
    read = [_read(rule, unknown=unknown) for rule in rules]
    found = escalation.openings(read, everywhere=everywhere)
    left = map(admission.beyond, found) if bound else found
    return [opening for opening in left if opening and opening.way.policy == policy and not opening.limited]


def _wildcards(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("rules").elements():
        for key in _LISTS:
            for element in rule.at(key).elements():
                yield expect(element, lambda value: isinstance(value, str) and rbac.ALL not in value, "names, and no *")
        for element in rule.at("nonResourceURLs").elements():
            yield expect(element, lambda value: isinstance(value, str) and not escalation.any_url(value), "paths")
    if resource.kind == kinds.CLUSTER_ROLE:
        aggregated = resource.at("aggregationRule")
        yield expect(aggregated, lambda value: value is MISSING, "rules of its own, none of other ClusterRoles")


def _escalation(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    everywhere = resource.kind == kinds.CLUSTER_ROLE
    for rule in resource.at("rules").elements():
        yield from _judged((rule,), escalation.ESCALATION, everywhere, rule.path, str)


def _judged(
    rules: Iterable[Node],
    policy: str,
    everywhere: bool,
    path: str,
    tell: Callable[[Opening], str],
    *,
    bound: bool = False,
) -> Iterable[Judgement]:
    given = tuple(rules)
    known, most = (
        _openings(given, policy, everywhere=everywhere, unknown=unknown, bound=bound) for unknown in (False, True)
    )
    for opening in known:
        yield decide(False, path, tell(opening), f"no right by which its holder can {opening.way.words}")
    if not known:
        yield undecided(path, "no right that leads to others") if most else decide(True, path, "", "")


def _to_holders(policy: str) -> StackJudge:
    """Judges what each binding gives; a role that the stack binds nowhere, by itself."""

    def judge(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
        bindings = index.once("bindings by role", lambda: _bindings(index))
        for role in index.of(*sorted(kinds.ROLES)):
            rules = role.at("rules").elements()
            held = bindings.get(_key(role.kind, role.object_name, role.namespace), ())
            for binding in held:
                everywhere, path = binding.kind == kinds.CLUSTER_ROLE_BINDING, "roleRef.name"
                told, bound = _telling(role, binding), _bound(index, binding)
                yield from ((binding, each) for each in _judged(rules, policy, everywhere, path, told, bound=bound))
            if not held:
                everywhere = role.kind == kinds.CLUSTER_ROLE
                yield from ((role, each) for each in _judged(rules, policy, everywhere, "rules", str))

    return judge


def _bound(index: StackIndex, binding: Resource) -> bool:
    """Whether admission binds each subject of a binding, in the namespace in which the binding gives something."""
    place = binding.namespace or ""
    if binding.kind != kinds.ROLE_BINDING:
        return False
    held = index.once(f"bound in {place}", lambda: admission.bound(place, *_admission(index)))
    named = ((each.at("kind").text, each.at("name").text) for each in binding.at("subjects").elements())
    return all(held.have(kind or "", name or "", place) for kind, name in named)


def _admission(index: StackIndex) -> Iterator[dict[str, Plain]]:
    """The specs of the admission policies and of their bindings, by name."""
    for kind in (kinds.ADMISSION_POLICY, kinds.ADMISSION_BINDING):
        yield {each.object_name or "": each.at("spec").value for each in index.of(kind)}


def _telling(role: Resource, binding: Resource) -> Callable[[Opening], str]:
    return lambda opening: f'"{role.object_name}", by which {_subjects_of(binding)} can {opening}'


def _subjects_of(binding: Resource) -> str:
    """Who has what a binding gives, as a message says it."""
    subjects = ((each.at("kind").text, each.at("name").text) for each in binding.at("subjects").elements())
    return ", ".join(f"{kind or '?'} {name or '?'}" for kind, name in subjects)


def _bindings(index: StackIndex) -> Mapping[tuple[str | None, ...], list[Resource]]:
    """The bindings by kind, name and namespace of the role that they give."""
    found: defaultdict[tuple[str | None, ...], list[Resource]] = defaultdict(list)
    for binding in index.of(*sorted(kinds.BINDINGS)):
        reference = binding.at("roleRef")
        kind = f"rbac.authorization.k8s.io/{reference.at('kind').text}"
        found[_key(kind, reference.at("name").text, binding.namespace)].append(binding)
    return found


def _key(kind: str, name: str | None, namespace: str | None) -> tuple[str | None, ...]:
    return (kind, name, namespace if kind == kinds.ROLE else None)


def _secrets(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    reads_all = resource.kind == kinds.ROLE and resource.object_name in READS_ALL_SECRETS
    for rule in resource.at("rules").elements():
        if not _read(rule, unknown=False).covers("secrets", ""):
            if _read(rule, unknown=True).covers("secrets", ""):
                yield undecided(rule.at("resources").path, "no Secrets but by name")
            continue
        if not reads_all:
            names = rule.at("resourceNames")
            yield expect(names, lambda value: isinstance(value, list) and _by_name(value), "the Secrets by their names")
            continue
        for verb in rule.at("verbs").elements():
            yield expect(verb, lambda value: value in _READING, "get, list or watch: a backup changes nothing")


def _by_name(names: list[Plain]) -> bool:
    """A list without a name asks for the empty one, and returns the content of all."""
    return bool(names) and "" not in names


def _cluster_role(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("rules").elements():
        for verb in rule.at("verbs").elements():
            yield expect(verb, lambda value: value in _READING, "get, list or watch")


def _no_admin(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    wrong = _giving(escalation.WHOLE_CLUSTER, everywhere=resource.kind == kinds.CLUSTER_ROLE_BINDING)
    role = resource.at("roleRef", "name")
    yield expect(
        role, lambda value: isinstance(value, str) and value not in wrong, f"a role other than {', '.join(wrong)}"
    )


def _no_namespace_admin(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    reference, wrong = resource.at("roleRef"), _giving(escalation.NAMESPACE_ADMIN, everywhere=False)
    own = reference.at("kind").value == "Role"
    allowed = f"a role other than {', '.join(wrong)}, whose rights are written out"
    judged = expect(reference.at("name"), lambda value: own or value not in wrong, allowed)
    yield replace(judged, found=f"{judged.found}, for {_subjects_of(resource)}")


def _giving(policy: str, *, everywhere: bool) -> list[str]:
    """Kubernetes' own ClusterRoles that a policy keeps from bindings."""
    return [
        role for role in escalation.BUILT_IN if escalation.policy_of_built_in(role, everywhere=everywhere) == policy
    ]


def _subjects(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    subjects = resource.at("subjects")
    yield expect(subjects, lambda value: isinstance(value, list) and bool(value), "at least one subject")
    for subject in subjects.elements():
        name = subject.at("name")
        yield expect(name, lambda value: isinstance(value, str) and _somebody(value), "one group or account")
        if subject.at("kind").text == "ServiceAccount":
            yield expect(name, lambda value: value != "default", "an account other than default")


def _somebody(name: str) -> bool:
    return name != _MASTERS and not rbac.stands_for_many(name)


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
        escalation.WILDCARDS,
        "A role names what it allows.",
        Severity.CRITICAL,
        "Write out apiGroups, resources, verbs and paths, in rules of the role's own.",
        "CIS Kubernetes 5.1.3; NSA Kubernetes Hardening Guide: role-based access control",
        waivable=False,
    ).of_resource(_IS_ROLE, _wildcards),
    _meta(
        escalation.ESCALATION,
        "No role lets its holder become another account, enter a pod or a node, raise its rights, or bend admission.",
        Severity.CRITICAL,
        "Leave these verbs and resources out; tokens only for accounts by name (resourceNames).",
        "CIS Kubernetes 5.1.8, 5.1.10, 5.1.11, 5.1.12, 5.1.13; NSA Kubernetes Hardening Guide: authorization",
        waivable=False,
    ).of_resource(_IS_ROLE, _escalation),
    _meta(
        escalation.PODS,
        "No binding lets its subjects start pods of their own making.",
        Severity.HIGH,
        "Leave create, update and patch of these kinds out of the role, or have admission freeze the pods.",
        "CIS Kubernetes 5.1.4",
    ).of_stack(_to_holders(escalation.PODS)),
    _meta(
        escalation.PORTS,
        "No binding lets its subjects connect to ports that network policies close.",
        Severity.HIGH,
        "Leave port-forward and the proxies out of the role, or waive it for the people who need them.",
    ).of_stack(_to_holders(escalation.PORTS)),
    _meta(
        escalation.ISSUING,
        "No binding lets its subjects have certificates issued and Secrets overwritten by cert-manager.",
        Severity.HIGH,
        "Leave create, update and patch of cert-manager's kinds out of the role: the stack declares its certificates.",
    ).of_stack(_to_holders(escalation.ISSUING)),
    _meta(
        escalation.SECRETS,
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
        escalation.WHOLE_CLUSTER,
        "Nobody is given the whole cluster.",
        Severity.CRITICAL,
        "Bind a role of the namespace; break-glass access is admin inside the namespace.",
        "CIS Kubernetes 5.1.1",
        waivable=False,
    ).of_resource(_IS_BINDING, _no_admin),
    _meta(
        escalation.NAMESPACE_ADMIN,
        "No binding gives all that is in the namespace: its pods, accounts, Secrets and roles.",
        Severity.HIGH,
        "Bind a role of rights that are written out; waive it for the group that breaks the glass.",
        "CIS Kubernetes 5.1.1",
    ).of_resource(kinds.one_of(kinds.ROLE_BINDING), _no_namespace_admin),
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
