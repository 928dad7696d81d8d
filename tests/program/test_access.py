"""What both stacks promise about people's access."""

from __future__ import annotations

from typing import Any

from components import access
from tests.program import look
from tests.program.engine import Registered


def _bindings(stack: list[Registered]) -> dict[str, dict[str, Any]]:
    return {item.inputs["metadata"]["name"]: item.inputs for item in look.of(stack, "RoleBinding")}


def _allowed(stack: list[Registered], role: str) -> set[tuple[str, str]]:
    rules = look.named(stack, "v1:Role", role)["rules"]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def test_monitoring_sees_the_namespace_and_no_more(stack: list[Registered]) -> None:
    binding = _bindings(stack)["monitoring"]
    assert binding["roleRef"]["name"] == "view"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "monitoring", "namespace": "crypto"}]
    account = look.named(stack, "ServiceAccount", "monitoring")
    assert account["automountServiceAccountToken"] is False


def test_no_token_lies_in_a_secret(stack: list[Registered]) -> None:
    assert not [item.name for item in stack if item.token.endswith(":Secret")]
    assert ("serviceaccounts/token", "create") in _allowed(stack, "on-call")


def test_on_call_may_mend_and_may_not_read_secrets_or_change_rights(stack: list[Registered]) -> None:
    allowed = _allowed(stack, "on-call")
    assert {("pods", "delete"), ("deployments", "patch"), ("jobs", "create")} <= allowed
    assert not {resource for resource, _ in allowed} & {"secrets", "roles", "rolebindings", "pods/exec"}
    assert not {verb for _, verb in allowed} & {"*", "escalate", "bind", "impersonate"}


def test_developers_may_change_nothing(stack: list[Registered]) -> None:
    assert {verb for _, verb in _allowed(stack, "developers")} == {"get", "list", "watch"}


def test_glass_is_broken_by_a_group_of_its_own(stack: list[Registered]) -> None:
    admins = {
        name: binding["subjects"][0]["name"]
        for name, binding in _bindings(stack).items()
        if binding["roleRef"]["name"] == access.ADMIN
    }
    assert admins == {"break-glass-admin": "crypto:break-glass"}


def test_people_are_bound_inside_the_namespace_alone(stack: list[Registered]) -> None:
    subjects = [subject["kind"] for item in look.of(stack, "ClusterRoleBinding") for subject in item.inputs["subjects"]]
    assert subjects == ["ServiceAccount"]
