"""What the small stateless workloads have in common: Deployment, Service, ServiceAccount, and a budget for two pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import apps, core, meta, policy

from components import pods
from components.context import Context, child
from components.labels import ROLE_ANNOTATION, SKIP_AWAIT, section_annotations, selector


@dataclass(frozen=True, slots=True)
class WorkloadArgs:
    """A workload whose pods are all alike; its Service has ``port`` and sends to the container's port ``port_name``."""

    pod: pods.PodArgs
    replicas: int
    port: int
    port_name: str

    @property
    def name(self) -> str:
        """Name of the Deployment and of everything that belongs to it."""
        return self.pod.name


def deployment_args(args: WorkloadArgs, context: Context) -> apps.v1.DeploymentInitArgs:
    """The Deployment."""
    pod = args.pod
    return apps.v1.DeploymentInitArgs(
        metadata=context.metadata(args.name, pod.component, pod.section),
        spec=apps.v1.DeploymentSpecArgs(
            replicas=args.replicas,
            revision_history_limit=5,
            selector=meta.v1.LabelSelectorArgs(match_labels=selector(args.name)),
            template=pods.template(pod, context.settings),
        ),
    )


def service_args(args: WorkloadArgs, context: Context) -> core.v1.ServiceInitArgs:
    """The Service under the workload's own name."""
    return core.v1.ServiceInitArgs(
        metadata=context.metadata(args.name, args.pod.component, args.pod.section, SKIP_AWAIT),
        spec=core.v1.ServiceSpecArgs(
            selector=selector(args.name),
            ports=[core.v1.ServicePortArgs(name=args.port_name, port=args.port, target_port=args.port_name)],
        ),
    )


class Workload(pulumi.ComponentResource):
    """Base of the small workloads."""

    def __init__(
        self,
        token: str,
        name: str,
        args: WorkloadArgs,
        context: Context,
        config_maps: Mapping[str, Mapping[str, str]],
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
        role_arn: pulumi.Input[str] | None = None,
    ) -> None:
        """``role_arn``: the IAM role of its pods, for a workload that uses AWS."""
        super().__init__(token, name, None, opts)
        component, section = args.pod.component, args.pod.section
        metadata = context.metadata(args.name, component, section)
        if role_arn is not None:
            metadata.annotations = {**section_annotations(section), ROLE_ANNOTATION: role_arn}
        account = core.v1.ServiceAccount(
            f"{name}-service-account",
            core.v1.ServiceAccountInitArgs(metadata=metadata, automount_service_account_token=False),
            child(self),
        )
        maps = [
            core.v1.ConfigMap(
                f"{name}-{map_name}",
                core.v1.ConfigMapInitArgs(metadata=context.metadata(map_name, component, section), data=dict(data)),
                child(self),
            )
            for map_name, data in config_maps.items()
        ]
        self.service = core.v1.Service(f"{name}-service", service_args(args, context), child(self))
        self.deployment = apps.v1.Deployment(
            f"{name}-deployment",
            deployment_args(args, context),
            child(self, depends_on=[account, *maps, *depends_on]),
        )
        if args.replicas > 1:
            budget = pods.disruption_budget_args(args.name, context.metadata(args.name, component, section))
            policy.v1.PodDisruptionBudget(f"{name}-disruption-budget", budget, child(self))
        self.register_outputs({"name": args.name})
