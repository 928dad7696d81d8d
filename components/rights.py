"""Rights as Kubernetes states them."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_kubernetes import rbac

from runbook.jobs import Right


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
