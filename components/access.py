"""Who may do what in the namespace: monitoring, developers, on-call, break-glass (sections 7 and 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes import core, rbac

from components.context import Context, child
from components.rights import policy_rules, role_ref
from runbook import maintenance
from runbook.jobs import Right
from runbook.sections import Section

MONITORING: Final = "monitoring"
ON_CALL: Final = "on-call"
DEVELOPERS: Final = "developers"
BREAK_GLASS: Final = "break-glass"
# Kubernetes' own roles: `view` reads everything but Secrets, `admin` does everything inside a namespace.
VIEW: Final = "view"
ADMIN: Final = "admin"
_WATCH: Final = ("get", "list", "watch")

# Custom resources that `view` does not cover on every cluster.
_SEE: Final = (
    Right(("certificates", "certificaterequests", "issuers"), _WATCH, "cert-manager.io"),
    Right(
        ("alertmanagerconfigs", "podmonitors", "prometheusrules", "servicemonitors"), _WATCH, "monitoring.coreos.com"
    ),
)
ON_CALL_RIGHTS: Final = (
    *_SEE,
    # Section 3.1: a pod that leaks is replaced; its eviction honours the disruption budget.
    Right(("pods",), ("delete",)),
    Right(("pods/eviction", "pods/portforward"), ("create",)),
    # Sections 3.1, 3.3 and 8.3: restarts, upgrades, and their undoing.
    Right(("deployments", "statefulsets"), ("patch",), "apps"),
    # Section 4.2. Not `scale`: it would fight the autoscaler.
    Right(("horizontalpodautoscalers",), ("patch",), "autoscaling"),
    # Running a backup by hand, suspending jobs during maintenance.
    Right(("jobs",), ("create", "delete"), "batch"),
    Right(("cronjobs", "cronjobs/status"), ("patch",), "batch"),
    # Section 8.2: the maintenance page, and the lock of those who work behind it.
    Right(("ingresses",), ("patch",), "networking.k8s.io"),
    Right(("leases",), ("get", "patch"), "coordination.k8s.io", (maintenance.LEASE,)),
    # Section 3.2: the pool's numbers in an emergency. The next `pulumi up` says what was changed.
    Right(("configmaps",), ("patch",), names=("app-config",)),
    # Section 7.2: `kubectl create token monitoring`.
    Right(("serviceaccounts/token",), ("create",), names=(MONITORING,)),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """A group gets a ClusterRole inside the namespace, and ``rights`` beyond it."""

    name: str
    group: str
    cluster_role: str
    section: Section
    rights: Sequence[Right] = ()


def grants(context: Context) -> tuple[Grant, ...]:
    """The groups of people."""
    access = context.settings.access
    return (
        Grant(DEVELOPERS, access.developers, VIEW, Section.ACCESS_REVIEW, _SEE),
        Grant(ON_CALL, access.on_call, VIEW, Section.NAMESPACE, ON_CALL_RIGHTS),
        Grant(BREAK_GLASS, access.break_glass, ADMIN, Section.ESCALATION),
    )


def binding_args(
    name: str, kind: str, role: str, subject: rbac.v1.SubjectArgs, section: Section, context: Context
) -> rbac.v1.RoleBindingInitArgs:
    """A RoleBinding: even a ClusterRole counts inside the namespace only."""
    return rbac.v1.RoleBindingInitArgs(
        metadata=context.metadata(name, "access", section),
        role_ref=role_ref(kind, role),
        subjects=[subject],
    )


def group(name: str) -> rbac.v1.SubjectArgs:
    """A group of the identity provider."""
    return rbac.v1.SubjectArgs(kind="Group", name=name, api_group="rbac.authorization.k8s.io")


class Access(pulumi.ComponentResource):
    """The monitoring account and the roles of people.

    No token Secret is declared: a token that never ends is a password in a drawer. `kubectl create token monitoring`
    gives one that does (defect 19).
    """

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:access:Access", name, None, opts)
        self._name, self._context = name, context
        self._monitoring()
        for grant in grants(context):
            self._grant(grant)
        self.register_outputs({"monitoring": MONITORING})

    def _monitoring(self) -> None:
        context, section = self._context, Section.MONITORING_ACCOUNT
        account = core.v1.ServiceAccount(
            f"{self._name}-monitoring",
            core.v1.ServiceAccountInitArgs(
                metadata=context.metadata(MONITORING, "access", section), automount_service_account_token=False
            ),
            child(self),
        )
        subject = rbac.v1.SubjectArgs(kind="ServiceAccount", name=MONITORING, namespace=context.settings.namespace)
        rbac.v1.RoleBinding(
            f"{self._name}-monitoring-view",
            binding_args(MONITORING, "ClusterRole", VIEW, subject, section, context),
            child(self, depends_on=[account]),
        )

    def _grant(self, grant: Grant) -> None:
        context, subject = self._context, group(grant.group)
        rbac.v1.RoleBinding(
            f"{self._name}-{grant.name}-{grant.cluster_role}",
            binding_args(
                f"{grant.name}-{grant.cluster_role}", "ClusterRole", grant.cluster_role, subject, grant.section, context
            ),
            child(self),
        )
        if not grant.rights:
            return
        role = rbac.v1.Role(
            f"{self._name}-{grant.name}-role",
            rbac.v1.RoleInitArgs(
                metadata=context.metadata(grant.name, "access", grant.section), rules=policy_rules(grant.rights)
            ),
            child(self),
        )
        rbac.v1.RoleBinding(
            f"{self._name}-{grant.name}",
            binding_args(grant.name, "Role", grant.name, subject, grant.section, context),
            child(self, depends_on=[role]),
        )
