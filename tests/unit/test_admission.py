"""Subjects that admission policies bind, as access review and policy pack read it, and the rights left to them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from runbook.admission import Subjects, beyond, bound, freeze
from runbook.escalation import Opening, openings
from runbook.rbac import Rule

_SUBJECTS = Subjects(("crypto:on-call", 'a "quoted" ] group'), ("system:serviceaccount:crypto:jwt-rotation",))
_POLICY, _BINDING = "crypto-pod-templates", "crypto-jobs-others"


def _specs() -> tuple[dict[str, Any], dict[str, Any]]:
    frozen = freeze("crypto", _SUBJECTS)
    return copy.deepcopy(dict(frozen.policies)), copy.deepcopy(dict(frozen.bindings))


def test_the_subjects_are_read_from_the_policies_in_force() -> None:
    policies, bindings = _specs()
    found = bound("crypto", policies, bindings | {"another": {}})
    assert (set(found.groups), found.users) == (set(_SUBJECTS.groups), _SUBJECTS.users)
    assert bound("elsewhere", policies, bindings) == Subjects()
    assert found.have("Group", "crypto:on-call", "")
    assert found.have("ServiceAccount", "jwt-rotation", "crypto")
    assert found.have("User", "system:serviceaccount:crypto:jwt-rotation", "")
    assert not found.have("ServiceAccount", "jwt-rotation", "elsewhere")
    assert not found.have("User", "crypto:on-call", "")


_WEAKER: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "no policy": lambda policies, _: policies.pop(_POLICY),
    "another policy is gone": lambda policies, _: policies.pop("crypto-variables"),
    "a binding is gone": lambda _, bindings: bindings.pop(_BINDING),
    "errors are ignored": lambda policies, _: policies[_POLICY].update(failurePolicy="Ignore"),
    "a warning": lambda _, bindings: bindings[_BINDING].update(validationActions=["Warn"]),
    "one condition more": lambda policies, _: policies[_POLICY]["matchConditions"].append({"expression": "false"}),
    "no condition": lambda policies, _: policies[_POLICY].pop("matchConditions"),
    "another condition": lambda policies, _: policies[_POLICY]["matchConditions"][0].update(expression="true"),
    "no list of names": lambda policies, _: policies[_POLICY]["matchConditions"][0].update(
        expression=policies[_POLICY]["matchConditions"][0]["expression"].replace('"', "'")
    ),
    "a rule left out": lambda policies, _: policies[_POLICY]["matchConstraints"]["resourceRules"].pop(),
    "an exclusion": lambda policies, _: policies[_POLICY]["matchConstraints"].update(excludeResourceRules=[{}]),
    "other subjects of another policy": lambda policies, _: policies.update(
        {"crypto-jobs": freeze("crypto", Subjects()).policies["crypto-jobs"]}
    ),
}


@pytest.mark.parametrize("how", _WEAKER)
def test_a_policy_that_is_weaker_binds_no_subject(how: str) -> None:
    policies, bindings = _specs()
    assert bound("crypto", policies, bindings) != Subjects()
    _WEAKER[how](policies, bindings)
    assert bound("crypto", policies, bindings) == Subjects()


def _left(verbs: tuple[str, ...], resources: tuple[str, ...], group: str) -> list[str]:
    found = openings([Rule(verbs, resources, (group,))], everywhere=False)
    assert found
    left: list[Opening | None] = [beyond(opening) for opening in found]
    return [str(opening) for opening in left if opening]


@pytest.mark.parametrize(
    ("verbs", "resources", "group", "left"),
    [
        (("patch", "update"), ("deployments", "statefulsets"), "apps", []),
        (("patch",), ("cronjobs",), "batch", []),
        (("create",), ("jobs",), "batch", []),
        (("create", "patch"), ("deployments",), "apps", ["create deployments (apps)"]),
        (("patch",), ("deployments", "daemonsets"), "apps", ["patch daemonsets (apps)"]),
        (("patch",), ("jobs", "cronjobs"), "batch", ["patch jobs (batch)"]),
        (("create",), ("pods",), "", ["create pods"]),
        (("get",), ("secrets",), "", ["get secrets"]),
    ],
)
def test_admission_closes_the_rights_that_its_policies_judge_and_no_other(
    verbs: tuple[str, ...], resources: tuple[str, ...], group: str, left: list[str]
) -> None:
    assert _left(verbs, resources, group) == left
