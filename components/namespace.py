"""The namespace, its Pod Security level, its quota and its priorities (section 9.1)."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Final

import pulumi
from pulumi_kubernetes import core, meta, scheduling

from components.context import Context, child
from components.labels import PATCH_FORCE, labels, section_annotations
from runbook import capacity, priorities
from runbook.priorities import Priority
from runbook.sections import Section
from runbook.settings import Settings
from runbook.units import to_bytes

POD_SECURITY_LEVEL: Final = "restricted"
QUOTA: Final = "crypto-quota"
LIMITS: Final = "crypto-limits"
_SECTION: Final = Section.NAMESPACE
_MEBIBYTE: Final = 2**20
# What a container without requests gets: a person's debugging pod, since every pod of the program states its own.
_DEFAULT_REQUESTS: Final = {"cpu": "50m", "memory": "64Mi"}
_DEFAULT_LIMITS: Final = {"memory": "256Mi"}


def namespace_metadata(context: Context, annotations: dict[str, str] | None = None) -> meta.v1.ObjectMetaArgs:
    """Pods that ask for more than ``restricted`` allows are refused, warned about and audited."""
    settings = context.settings
    security = {f"pod-security.kubernetes.io/{mode}": POD_SECURITY_LEVEL for mode in ("enforce", "audit", "warn")}
    return meta.v1.ObjectMetaArgs(
        name=settings.namespace,
        labels={**labels(settings.namespace, settings.owner, "namespace"), **security},
        annotations=section_annotations(_SECTION, **(annotations or {})),
    )


def _with_headroom(number: Decimal | int) -> int:
    return int((number * capacity.HEADROOM).to_integral_value(ROUND_CEILING))


def _mebibytes(number: int) -> str:
    return f"{-(-_with_headroom(number) // _MEBIBYTE)}Mi"


def hard_limits(settings: Settings) -> dict[str, str]:
    """The quota: the system at its peak with its rollouts and jobs, and a tenth more; no port to the outside."""
    peak = capacity.peak(settings)
    return {
        "requests.cpu": f"{_with_headroom(peak.cpu_request * 1000)}m",
        "requests.memory": _mebibytes(peak.memory_request),
        "limits.memory": _mebibytes(peak.memory_limit),
        "requests.storage": _mebibytes(peak.storage),
        "persistentvolumeclaims": str(_with_headroom(peak.volumes)),
        "pods": str(_with_headroom(peak.pods)),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def quota_args(context: Context) -> core.v1.ResourceQuotaInitArgs:
    """The ResourceQuota."""
    return core.v1.ResourceQuotaInitArgs(
        metadata=context.metadata(QUOTA, "quota", _SECTION),
        spec=core.v1.ResourceQuotaSpecArgs(hard=hard_limits(context.settings)),
    )


def largest_limit(settings: Settings) -> str:
    """The greatest memory limit of a container of the system."""
    return max((load.resources.memory_limit for load in capacity.loads(settings)), key=to_bytes)


def limit_range_args(context: Context) -> core.v1.LimitRangeInitArgs:
    """Defaults for a container that states nothing, and an upper bound for one that states too much."""
    return core.v1.LimitRangeInitArgs(
        metadata=context.metadata(LIMITS, "quota", _SECTION),
        spec=core.v1.LimitRangeSpecArgs(
            limits=[
                core.v1.LimitRangeItemArgs(
                    type="Container",
                    default=_DEFAULT_LIMITS,
                    default_request=_DEFAULT_REQUESTS,
                    max={"memory": largest_limit(context.settings)},
                )
            ]
        ),
    )


def priority_class_args(priority: Priority, context: Context) -> scheduling.v1.PriorityClassInitArgs:
    """A PriorityClass. Only the datastores push others out: a service that waits is better than one that evicts."""
    return scheduling.v1.PriorityClassInitArgs(
        metadata=context.cluster_metadata(
            priorities.class_name(priority.component, context.settings.namespace), "priority", _SECTION
        ),
        value=priority.value,
        preemption_policy="PreemptLowerPriority" if priority is priorities.DATASTORE else "Never",
        description=priority.meaning,
    )


class CryptoNamespace(pulumi.ComponentResource):
    """The namespace of the system. ``name`` is an output: what uses it waits for the namespace.

    With ``adoptNamespace`` the namespace is somebody else's: labels are added to it, and `pulumi destroy` takes them
    away again and leaves the namespace alone.
    """

    name: pulumi.Output[str]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:namespace:Namespace", name, None, opts)
        settings = context.settings
        self.namespace = self._adopt(name, context) if settings.adopt_namespace else self._own(name, context)
        priority_classes = [
            scheduling.v1.PriorityClass(
                f"{name}-priority-{priority.component}", priority_class_args(priority, context), child(self)
            )
            for priority in priorities.ALL
        ]
        # A pod that names a class which is not there yet is refused: what waits for the namespace waits for them too.
        names = [priority_class.metadata.name for priority_class in priority_classes]
        made = pulumi.Output.all(self.namespace.metadata, *names).apply(lambda _: settings.namespace)
        inside = context.in_namespace(made)
        quota = core.v1.ResourceQuota(f"{name}-quota", quota_args(inside), child(self))
        core.v1.LimitRange(f"{name}-limits", limit_range_args(inside), child(self))
        # What grows must find the quota grown.
        self.name = pulumi.Output.all(made, quota.metadata).apply(lambda _: settings.namespace)
        self.register_outputs({"name": self.name})

    def _own(self, name: str, context: Context) -> core.v1.Namespace:
        # Deleting a namespace deletes every volume claim in it.
        return core.v1.Namespace(
            f"{name}-namespace",
            core.v1.NamespaceInitArgs(metadata=namespace_metadata(context)),
            child(self, protect=context.settings.protect),
        )

    def _adopt(self, name: str, context: Context) -> core.v1.NamespacePatch:
        # Its labels may stand under another tool's name in the object's managed fields: ours are to win.
        metadata = namespace_metadata(context, PATCH_FORCE)
        return core.v1.NamespacePatch(
            f"{name}-namespace-patch",
            metadata=meta.v1.ObjectMetaPatchArgs(
                name=metadata.name, labels=metadata.labels, annotations=metadata.annotations
            ),
            opts=child(self),
        )
