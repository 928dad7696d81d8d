"""Rights as Kubernetes states them."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_kubernetes import rbac

from runbook import escalation
from runbook.jobs import Right
from runbook.rbac import Rule


def policy_rules(rights: Sequence[Right]) -> list[rbac.v1.PolicyRuleArgs]:
    """Rights as a Role states them."""
    return [
        rbac.v1.PolicyRuleArgs(
            api_groups=[right.api_group],
            resources=list(right.resources),
            verbs=list(right.verbs),
            resource_names=list(right.names) or None,
        )
        for right in rights
    ]


def role_ref(kind: str, name: str) -> rbac.v1.RoleRefArgs:
    """The role of a binding: a Role or a ClusterRole."""
    return rbac.v1.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind=kind, name=name)


def start_pods(rights: Sequence[Right]) -> bool:
    """Whether rights inside the namespace let their holder start pods of its own making."""
    rules = [Rule(right.verbs, right.resources, (right.api_group,), right.names) for right in rights]
    ways = (opening.way for opening in escalation.openings(rules, everywhere=False))
    return escalation.OWN_PODS in ways
