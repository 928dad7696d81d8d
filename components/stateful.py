"""What the datastores have in common: a StatefulSet with one volume claim, a Service and a headless one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
from pulumi_kubernetes import apps, core, meta, policy

from components import claims, pods
from components.context import Context, child
from components.labels import SKIP_AWAIT, selector
from runbook.datastores import DatastoreSpec
from runbook.sections import Section
from runbook.settings import Resources

DATA_VOLUME: Final = "data"
# Kubernetes never changes a template; the claims are grown themselves. Only the size: another class is another volume.
_TEMPLATE_SIZE: Final = "spec.volumeClaimTemplates[0].spec.resources.requests.storage"


@dataclass(frozen=True, slots=True)
class StatefulArgs:
    """A datastore's pods. ``config`` is fingerprinted, so that a change of it rolls them."""

    spec: DatastoreSpec
    section: Section
    replicas: int
    container: core.v1.ContainerArgs
    mounts: Sequence[pods.Mount]
    config: Mapping[str, str]
    volume_size: str
    grace_seconds: int
    parallel: bool = False
    sidecars: Sequence[core.v1.ContainerArgs] = ()
    more_ports: Mapping[str, int] = field(default_factory=dict[str, int])


def headless_name(spec: DatastoreSpec) -> str:
    """The Service that gives each pod a name of its own."""
    return f"{spec.name}-headless"


def data_mount(path: str) -> core.v1.VolumeMountArgs:
    """Where the container sees its volume claim."""
    return core.v1.VolumeMountArgs(name=DATA_VOLUME, mount_path=path)


def container(
    spec: DatastoreSpec,
    image: str,
    resources: Resources,
    *,
    args: Sequence[str] | None = None,
    env: Sequence[core.v1.EnvVarArgs] = (),
    mounts: Sequence[core.v1.VolumeMountArgs],
    startup: core.v1.ProbeArgs,
    readiness: core.v1.ProbeArgs,
    liveness: core.v1.ProbeArgs,
) -> core.v1.ContainerArgs:
    """A datastore's container, with its port named after the datastore."""
    return core.v1.ContainerArgs(
        name=spec.name,
        image=image,
        args=list(args) if args is not None else None,
        env=list(env),
        ports=[core.v1.ContainerPortArgs(name=spec.name, container_port=spec.port)],
        resources=pods.requirements(resources),
        security_context=pods.container_security(),
        startup_probe=startup,
        readiness_probe=readiness,
        liveness_probe=liveness,
        volume_mounts=list(mounts),
    )


def _template(args: StatefulArgs, context: Context) -> core.v1.PersistentVolumeClaimArgs:
    return core.v1.PersistentVolumeClaimArgs(
        metadata=meta.v1.ObjectMetaArgs(name=DATA_VOLUME, labels=selector(args.spec.name)),
        spec=claims.spec(args.volume_size, context),
    )


def _claim_args(args: StatefulArgs, context: Context, ordinal: int) -> core.v1.PersistentVolumeClaimInitArgs:
    name = claims.name_of(DATA_VOLUME, args.spec.name, ordinal)
    return claims.claim_args(name, args.section, args.spec.name, args.volume_size, context)


def _pod(args: StatefulArgs) -> pods.PodArgs:
    return pods.PodArgs(
        name=args.spec.name,
        component="datastore",
        section=args.section,
        user_id=args.spec.user_id,
        containers=[args.container],
        mounts=args.mounts,
        sidecars=args.sidecars,
        grace_seconds=args.grace_seconds,
        config=args.config,
    )


def stateful_set_args(args: StatefulArgs, context: Context) -> apps.v1.StatefulSetInitArgs:
    """The StatefulSet. Its claims outlive it: deleting or scaling it never deletes data."""
    return apps.v1.StatefulSetInitArgs(
        metadata=context.metadata(args.spec.name, "datastore", args.section),
        spec=apps.v1.StatefulSetSpecArgs(
            service_name=headless_name(args.spec),
            replicas=args.replicas,
            pod_management_policy="Parallel" if args.parallel else "OrderedReady",
            selector=meta.v1.LabelSelectorArgs(match_labels=selector(args.spec.name)),
            persistent_volume_claim_retention_policy=apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs(
                when_deleted="Retain", when_scaled="Retain"
            ),
            template=pods.template(_pod(args), context.settings),
            volume_claim_templates=[_template(args, context)],
        ),
    )


def service_args(args: StatefulArgs, context: Context, *, headless: bool) -> core.v1.ServiceInitArgs:
    """The Service that clients use, or the headless one, which also names pods that are not ready yet."""
    name = headless_name(args.spec) if headless else args.spec.name
    ports = [core.v1.ServicePortArgs(name=args.spec.name, port=args.spec.port, target_port=args.spec.name)]
    ports += [core.v1.ServicePortArgs(name=name, port=port, target_port=port) for name, port in args.more_ports.items()]
    return core.v1.ServiceInitArgs(
        metadata=context.metadata(name, "datastore", args.section, SKIP_AWAIT),
        spec=core.v1.ServiceSpecArgs(
            cluster_ip="None" if headless else None,
            publish_not_ready_addresses=True if headless else None,
            selector=selector(args.spec.name),
            ports=ports,
        ),
    )


class StatefulDatastore(pulumi.ComponentResource):
    """A datastore's StatefulSet with its Services, ServiceAccount and disruption budget; base of the datastores."""

    def __init__(
        self,
        token: str,
        name: str,
        args: StatefulArgs,
        context: Context,
        config_maps: Mapping[str, Mapping[str, str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token, name, None, opts)
        component, section = "datastore", args.section
        account = core.v1.ServiceAccount(
            f"{name}-service-account",
            core.v1.ServiceAccountInitArgs(
                metadata=context.metadata(args.spec.name, component, section), automount_service_account_token=False
            ),
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
        headless = core.v1.Service(f"{name}-headless", service_args(args, context, headless=True), child(self))
        self.service = core.v1.Service(f"{name}-service", service_args(args, context, headless=False), child(self))
        volumes = [
            core.v1.PersistentVolumeClaim(
                f"{name}-claim-{ordinal}",
                _claim_args(args, context, ordinal),
                child(self, protect=context.settings.protect, retain_on_delete=True),
            )
            for ordinal in range(args.replicas)
        ]
        self.stateful_set = apps.v1.StatefulSet(
            f"{name}-stateful-set",
            stateful_set_args(args, context),
            child(
                self,
                depends_on=[account, headless, *maps, *volumes],
                protect=context.settings.protect,
                ignore_changes=[_TEMPLATE_SIZE],
            ),
        )
        budget = pods.disruption_budget_args(args.spec.name, context.metadata(args.spec.name, component, section))
        policy.v1.PodDisruptionBudget(f"{name}-disruption-budget", budget, child(self))
        self.address = args.spec.address
        self.register_outputs({"address": self.address})
