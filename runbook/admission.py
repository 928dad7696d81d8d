"""Admission policies by which rights on workloads are no rights on Secrets and accounts.

A subject that may patch a Deployment or create a Job may run any pod: with another account, any Secret, other code.
Three policies of the API server (ValidatingAdmissionPolicy) take that away from the subjects that they name:

- pod templates of workloads are frozen;
- a Job is a copy of a CronJob's template;
- variables that services read from a ConfigMap are frozen, but for the pool's numbers: with one such as NODE_OPTIONS, a
  program runs other code.

Each policy lists the fields that may change, and the rest is equal. So a field that a later release of Kubernetes adds
to pods is frozen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runbook import escalation, jobs, marks, pool
from runbook.escalation import Opening
from runbook.rbac import Rule

# Resources by API group whose changes the policies judge, and those whose creation.
CHANGED: Final[Mapping[str, tuple[str, ...]]] = {"apps": ("deployments", "statefulsets"), "batch": ("cronjobs",)}
CREATED: Final[Mapping[str, tuple[str, ...]]] = {"batch": ("jobs",)}
_JUDGED: Final = {"create": CREATED, "patch": CHANGED, "update": CHANGED}

_TEMPLATES: Final = "pod-templates"

_RESTART: Final = "kubectl.kubernetes.io/restartedAt"
# Registry and repository of an image, without its tag and its digest.
_REPOSITORY: Final = "^([^/@]+/)*[^/:@]+"
# The job controller's own labels.
_GENERATED: Final = (
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
)
_ALLOWED: Final = (
    "allowed are an image by another tag or digest, resources, replicas, schedules and restarts;"
    " change the rest by a deployment, or break the glass"
)
_BREAK_GLASS: Final = "for any other Job, break the glass"


@dataclass(frozen=True, slots=True)
class Subjects:
    """Groups and users by the names that the API server knows: ``system:serviceaccount:NAMESPACE:NAME``."""

    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def have(self, kind: str, name: str, namespace: str) -> bool:
        """Whether the subject of a binding is among them; ``namespace`` is a ServiceAccount's."""
        if kind == "Group":
            return name in self.groups
        return (f"system:serviceaccount:{namespace}:{name}" if kind == "ServiceAccount" else name) in self.users


@dataclass(frozen=True, slots=True)
class Freeze:
    """The specs of the policies and of their bindings, by name, with every field that the API server would default."""

    policies: Mapping[str, Any]
    bindings: Mapping[str, Any]


def freeze(namespace: str, subjects: Subjects) -> Freeze:
    """The policies over a namespace for these subjects, with a binding for each CronJob of the runbook."""
    templates, made, variables = (f"{namespace}-{name}" for name in (_TEMPLATES, "jobs", "variables"))
    names = sorted(jobs.BY_NAME)
    of_jobs = {f"{made}-{name}": _binding(made, namespace, _labelled("In", [name]), name) for name in names}
    return Freeze(
        {
            templates: _policy(subjects, "UPDATE", CHANGED, _TEMPLATE_VARIABLES, _TEMPLATE_VALIDATIONS),
            made: _policy(subjects, "CREATE", CREATED, _JOB_VARIABLES, _JOB_VALIDATIONS)
            | {"paramKind": {"apiVersion": "batch/v1", "kind": "CronJob"}},
            variables: _policy(subjects, "UPDATE", {"": ("configmaps",)}, _DATA_VARIABLES, _DATA_VALIDATIONS),
        },
        {
            templates: _binding(templates, namespace),
            variables: _binding(variables, namespace),
            # Without a CronJob to compare it with, the policy refuses the Job.
            f"{made}-others": _binding(made, namespace, _labelled("NotIn", names)),
            **of_jobs,
        },
    )


def bound(namespace: str, policies: Mapping[str, Any], bindings: Mapping[str, Any]) -> Subjects:
    """The subjects that policies and bindings with these specs, by name, bind in a namespace.

    None, where one of them is missing or is not as this release declares it.
    """
    subjects = _named_by(policies.get(f"{namespace}-{_TEMPLATES}"))
    wanted = freeze(namespace, subjects)
    pairs = ((wanted.policies, policies), (wanted.bindings, bindings))
    same = all(found.get(name) == spec for specs, found in pairs for name, spec in specs.items())
    return subjects if same else Subjects()


def beyond(opening: Opening) -> Opening | None:
    """The part of an opening that is left to the subjects whom the policies bind; None: nothing is."""
    if opening.way is not escalation.OWN_PODS:
        return opening
    left = tuple(rest for right in opening.rights for rest in _beyond(right))
    return Opening(opening.way, left) if left else None


def _beyond(right: Rule) -> Iterator[Rule]:
    for verb in right.verbs:
        judged = [kind for group in right.groups for kind in _JUDGED[verb].get(group, ())]
        left = tuple(resource for resource in right.resources if resource not in judged)
        if left:
            yield Rule((verb,), left, right.groups, right.names)


def _named_by(policy: Any) -> Subjects:
    try:
        names = _CONDITION.fullmatch(policy["matchConditions"][0]["expression"])
        users, groups = (json.loads(found) for found in names.groups()) if names else ((), ())
    except (KeyError, IndexError, TypeError, ValueError):
        return Subjects()
    return Subjects(tuple(groups), tuple(users))


def _policy(
    subjects: Subjects,
    operation: str,
    resources: Mapping[str, tuple[str, ...]],
    variables: Mapping[str, str],
    validations: list[Mapping[str, str]],
) -> dict[str, Any]:
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": ["v1"],
            "operations": [operation],
            "resources": list(kinds),
            "scope": "*",
        }
        for group, kinds in resources.items()
    ]
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": rules,
        },
        "matchConditions": [
            {"name": "a-subject-of-the-policy", "expression": _condition(subjects)},
            # A subject that may start pods has their Secrets and accounts anyway: break-glass, and the deployer.
            {"name": "who-may-not-start-pods", "expression": _MAY_NOT_START_PODS},
        ],
        "variables": [{"name": name, "expression": expression} for name, expression in variables.items()],
        "validations": validations,
    }


def _binding(
    policy: str, namespace: str, selector: Mapping[str, Any] | None = None, cron_job: str = ""
) -> dict[str, Any]:
    parameter = {"name": cron_job, "namespace": namespace, "parameterNotFoundAction": "Deny"}
    return {
        "policyName": policy,
        "validationActions": ["Deny"],
        "matchResources": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "objectSelector": selector or {},
        },
        **({"paramRef": parameter} if cron_job else {}),
    }


def _labelled(operator: str, names: list[str]) -> dict[str, Any]:
    return {"matchExpressions": [{"key": marks.APP_LABEL, "operator": operator, "values": names}]}


def _condition(subjects: Subjects) -> str:
    groups, users = (json.dumps(sorted(names), ensure_ascii=False) for names in (subjects.groups, subjects.users))
    return f"{_BY_USER}{users}{_BY_GROUP}{groups})"


_BY_USER: Final = "request.userInfo.username in "
_BY_GROUP: Final = " || has(request.userInfo.groups) && request.userInfo.groups.exists(group, group in "
_CONDITION: Final = re.compile(rf"{re.escape(_BY_USER)}(\[.*\]){re.escape(_BY_GROUP)}(\[.*\])\)")
_MAY_NOT_START_PODS: Final = (
    "!authorizer.group('').resource('pods').namespace(request.namespace).check('create').allowed()"
)


def _listed(values: Iterable[str]) -> str:
    return f"[{', '.join(map(repr, values))}]"


def _different(now: str, before: str, free: Iterable[str] = ()) -> str:
    """CEL: the keys of two maps whose values differ, or that only one of them has, without those that are free."""
    changed = f"{now}.filter(k, !(k in {_listed(free)}) && !(k in {before} && {now}[k] == {before}[k]))"
    return f"{changed} + {before}.filter(k, !(k in {_listed(free)}) && !(k in {now}))"


def _of(owner: str, key: str) -> str:
    """CEL: a map that may be absent, as an empty one."""
    return f"({key!r} in {owner} ? {owner}[{key!r}] : {{}})"


# `dyn`: the fields of a map can be walked, those of a typed object cannot.
_TEMPLATE_VARIABLES: Final = {
    "now": "'jobTemplate' in dyn(object).spec ? dyn(object).spec.jobTemplate.spec.template : dyn(object).spec.template",
    "before": (
        "'jobTemplate' in dyn(oldObject).spec ? dyn(oldObject).spec.jobTemplate.spec.template"
        " : dyn(oldObject).spec.template"
    ),
    "metadata": _different("variables.now.metadata", "variables.before.metadata", ("annotations",)),
    "annotationsNow": _of("variables.now.metadata", "annotations"),
    "annotationsBefore": _of("variables.before.metadata", "annotations"),
    "annotations": (
        f"({_different('variables.annotationsNow', 'variables.annotationsBefore', (_RESTART,))})"
        f".filter(k, !k.startsWith('{marks.DOMAIN}/'))"
    ),
    "pod": _different("variables.now.spec", "variables.before.spec", ("containers",)),
    "names": "variables.now.spec.containers.map(c, c.name) == variables.before.spec.containers.map(c, c.name)",
    "containers": (
        "!variables.names ? ['the list of containers'] : variables.now.spec.containers"
        ".map(c, variables.before.spec.containers.filter(o, o.name == c.name)"
        f".map(o, ({_different('c', 'o', ('image', 'resources'))}"
        f" + (c.image.find('{_REPOSITORY}') == o.image.find('{_REPOSITORY}') ? [] : ['the repository of image']))"
        ".map(k, 'container ' + c.name + ': ' + k).join(', '))[0])"
        ".filter(told, told != '')"
    ),
    "changed": "variables.pod + variables.containers + variables.metadata + variables.annotations",
}
_TEMPLATE_VALIDATIONS: Final[list[Mapping[str, str]]] = [
    {
        "expression": "variables.changed.size() == 0",
        "message": f"the pod template differs; {_ALLOWED}",
        "messageExpression": (
            "'the pods of ' + request.kind.kind + ' ' + object.metadata.name + ' differ: '"
            f" + variables.changed.join(', ') + '; {_ALLOWED}'"
        ),
        "reason": "Forbidden",
    }
]
_JOB_VARIABLES: Final = {
    "now": "dyn(object).spec",
    "before": "dyn(params).spec.jobTemplate.spec",
    "labelsNow": _of("variables.now.template.metadata", "labels"),
    "labelsBefore": _of("variables.before.template.metadata", "labels"),
    "labels": _different("variables.labelsNow", "variables.labelsBefore", _GENERATED),
    "metadata": _different("variables.now.template.metadata", "variables.before.template.metadata", ("labels",)),
    "pod": _different("variables.now.template.spec", "variables.before.template.spec"),
    # What the CronJob leaves out has the API server's default.
    "job": (
        "variables.before.filter(k, k != 'template'"
        " && !(k in variables.now && variables.now[k] == variables.before[k]))"
    ),
    "changed": "variables.pod + variables.labels + variables.metadata + variables.job",
}
_JOB_VALIDATIONS: Final[list[Mapping[str, str]]] = [
    {
        "expression": "params != null",
        "message": "the Job is made from no CronJob of the system",
        "messageExpression": (
            "'Job ' + object.metadata.name + ' is made from no CronJob of the system;"
            f" allowed is: kubectl -n ' + request.namespace + ' create job --from=cronjob/NAME; {_BREAK_GLASS}'"
        ),
        "reason": "Forbidden",
    },
    {
        "expression": "params == null || variables.changed.size() == 0",
        "message": "the Job is no copy of its CronJob",
        "messageExpression": (
            "'Job ' + object.metadata.name + ' is no copy of CronJob ' + params.metadata.name + ': '"
            " + variables.changed.join(', ') + '; allowed is: kubectl -n ' + request.namespace"
            f" + ' create job --from=cronjob/' + params.metadata.name + '; {_BREAK_GLASS}'"
        ),
        "reason": "Forbidden",
    },
]
_DATA_VARIABLES: Final = {
    "now": _of("dyn(object)", "data"),
    "before": _of("dyn(oldObject)", "data"),
    "rest": _different("dyn(object)", "dyn(oldObject)", ("data", "metadata")),
    "odd": f"variables.now.filter(k, k in {_listed(pool.SHARED)} && !variables.now[k].matches('^[0-9]+$'))",
    "data": _different("variables.now", "variables.before", pool.SHARED),
    "changed": "variables.data + variables.odd + variables.rest",
}
_DATA_VALIDATIONS: Final[list[Mapping[str, str]]] = [
    {
        "expression": "variables.changed.size() == 0",
        "message": f"the ConfigMap differs; allowed are whole numbers of {', '.join(pool.SHARED)}",
        "messageExpression": (
            "'ConfigMap ' + object.metadata.name + ' differs: ' + variables.changed.join(', ')"
            f" + '; allowed are whole numbers of {', '.join(pool.SHARED)};"
            " change the rest by a deployment, or break the glass'"
        ),
        "reason": "Forbidden",
    }
]
