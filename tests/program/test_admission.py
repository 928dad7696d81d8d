"""What both stacks promise about admission; what the API server makes of it is tried in ``tests/services``."""

from __future__ import annotations

from typing import Any

from components import admission, ops_jobs
from components.access import ON_CALL_RIGHTS
from components.context import Context
from runbook import escalation, jobs
from runbook.admission import CHANGED, CREATED, Subjects
from runbook.jobs import JWT_ROTATION
from runbook.rbac import Rule
from tests.program import look
from tests.program.engine import Registered
from tests.program.settings import load

_BOUND = Subjects(("crypto:on-call",), ("system:serviceaccount:crypto:jwt-rotation",))


def _specs(stack: list[Registered], kind: str) -> dict[str, Any]:
    return {item.inputs["metadata"]["name"]: item.inputs["spec"] for item in look.of(stack, kind)}


def test_whose_rights_are_enough_to_start_pods_is_bound_by_each_policy(stack: list[Registered]) -> None:
    settings = load("prod")
    assert admission.subjects(Context(settings, settings.namespace)) == _BOUND
    policies = _specs(stack, "ValidatingAdmissionPolicy")
    assert set(policies) == {"crypto-pod-templates", "crypto-jobs", "crypto-variables"}
    for spec in policies.values():
        condition = spec["matchConditions"][0]["expression"]
        assert all(f'["{name}"]' in condition for name in (*_BOUND.groups, *_BOUND.users))


def test_the_policies_look_at_each_right_by_which_those_subjects_start_pods() -> None:
    rights = (*ON_CALL_RIGHTS, *ops_jobs.rights(JWT_ROTATION, load("prod")))
    rules = [Rule(right.verbs, right.resources, (right.api_group,), right.names) for right in rights]
    found = [each for each in escalation.openings(rules, everywhere=False) if each.way is escalation.OWN_PODS]
    asked = {
        (verb, group, resource)
        for opening in found
        for right in opening.rights
        for verb in right.verbs
        for group in right.groups
        for resource in right.resources
    }
    watched = {
        (verb, group, resource)
        for verb, kinds in (("patch", CHANGED), ("create", CREATED))
        for group, resources in kinds.items()
        for resource in resources
    }
    assert asked == watched


def test_each_policy_refuses_in_the_namespace_and_where_it_cannot_judge(stack: list[Registered]) -> None:
    policies, bindings = (_specs(stack, f"ValidatingAdmissionPolicy{suffix}") for suffix in ("", "Binding"))
    assert {spec["policyName"] for spec in bindings.values()} == set(policies)
    assert {spec["failurePolicy"] for spec in policies.values()} == {"Fail"}
    for spec in bindings.values():
        namespaces = spec["matchResources"]["namespaceSelector"]
        assert namespaces == {"matchLabels": {"kubernetes.io/metadata.name": "crypto"}}
        assert spec["validationActions"] == ["Deny"]


def test_each_cron_job_has_a_binding_that_compares_jobs_with_it(stack: list[Registered]) -> None:
    bindings = _specs(stack, "ValidatingAdmissionPolicyBinding")
    selected: list[list[str]] = []
    for name in jobs.BY_NAME:
        spec = bindings[f"crypto-jobs-{name}"]
        assert spec["paramRef"] == {"name": name, "namespace": "crypto", "parameterNotFoundAction": "Deny"}
        (expression,) = spec["matchResources"]["objectSelector"]["matchExpressions"]
        assert (expression["key"], expression["operator"]) == ("app", "In")
        selected.append(expression["values"])
        template = look.named(stack, "CronJob", name)["spec"]["jobTemplate"]
        assert template["metadata"]["labels"]["app"] == name
    others = bindings["crypto-jobs-others"]
    (expression,) = others["matchResources"]["objectSelector"]["matchExpressions"]
    assert (expression["operator"], [[name] for name in expression["values"]]) == ("NotIn", sorted(selected))
    assert "paramRef" not in others
