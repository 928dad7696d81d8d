"""What every pod of the system has in common: security, scheduling, probes, mounted files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pulumi_kubernetes import core, meta, policy

from components.labels import CHECKSUM_ANNOTATION, labels, section_annotations, selector
from runbook import priorities
from runbook.sections import Section
from runbook.settings import Resources, Settings


def pod_security(user_id: int) -> core.v1.PodSecurityContextArgs:
    """The pod's side of Pod Security ``restricted``, with volumes that the user may write."""
    return core.v1.PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=user_id,
        run_as_group=user_id,
        fs_group=user_id,
        # A large volume is else walked file by file at each start of its pod.
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=core.v1.SeccompProfileArgs(type="RuntimeDefault"),
    )


def container_security() -> core.v1.SecurityContextArgs:
    """The container's side of Pod Security ``restricted``, with a root file system that cannot be written."""
    return core.v1.SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        run_as_non_root=True,
        capabilities=core.v1.CapabilitiesArgs(drop=["ALL"]),
    )


def requirements(resources: Resources) -> core.v1.ResourceRequirementsArgs:
    """Requests and limits. CPU is requested and not limited: a throttled probe looks like a dead service."""
    return core.v1.ResourceRequirementsArgs(
        requests={"cpu": resources.cpu_request, "memory": resources.memory_request},
        limits={"memory": resources.memory_limit},
    )


def spread(name: str) -> list[core.v1.TopologySpreadConstraintArgs]:
    """One pod a node and a zone while that can be had; never a reason not to run."""
    return [
        core.v1.TopologySpreadConstraintArgs(
            max_skew=1,
            topology_key=key,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=meta.v1.LabelSelectorArgs(match_labels=selector(name)),
        )
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def disruption_budget_args(
    name: str, metadata: meta.v1.ObjectMetaArgs, unready: str | None = None
) -> policy.v1.PodDisruptionBudgetInitArgs:
    """At most one pod of a workload leaves at a time by choice; ``unready``: when one that is not ready may leave."""
    return policy.v1.PodDisruptionBudgetInitArgs(
        metadata=metadata,
        spec=policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            selector=meta.v1.LabelSelectorArgs(match_labels=selector(name)),
            unhealthy_pod_eviction_policy=unready,
        ),
    )


def http_probe(path: str, port: str, *, period: int, failures: int, timeout: int = 5) -> core.v1.ProbeArgs:
    """A probe over HTTP; ``period`` and ``timeout`` in seconds."""
    return core.v1.ProbeArgs(
        http_get=core.v1.HTTPGetActionArgs(path=path, port=port),
        period_seconds=period,
        timeout_seconds=timeout,
        failure_threshold=failures,
    )


def tcp_probe(port: str, *, period: int, failures: int, timeout: int = 5) -> core.v1.ProbeArgs:
    """A probe that only opens a connection; ``period`` and ``timeout`` in seconds."""
    return core.v1.ProbeArgs(
        tcp_socket=core.v1.TCPSocketActionArgs(port=port),
        period_seconds=period,
        timeout_seconds=timeout,
        failure_threshold=failures,
    )


def command_probe(command: Sequence[str], *, period: int, failures: int, timeout: int = 5) -> core.v1.ProbeArgs:
    """A probe that runs a command in the container; ``period`` and ``timeout`` in seconds."""
    return core.v1.ProbeArgs(
        exec_=core.v1.ExecActionArgs(command=list(command)),
        period_seconds=period,
        timeout_seconds=timeout,
        failure_threshold=failures,
    )


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume and where a container sees it."""

    volume: core.v1.VolumeArgs
    mount: core.v1.VolumeMountArgs


def scratch(name: str, path: str, size: str = "64Mi") -> Mount:
    """A writable folder that ends with the pod."""
    return Mount(
        core.v1.VolumeArgs(name=name, empty_dir=core.v1.EmptyDirVolumeSourceArgs(size_limit=size)),
        core.v1.VolumeMountArgs(name=name, mount_path=path),
    )


def temporary() -> Mount:
    """The folder that programs expect to be able to write to: the root file system cannot be written."""
    return scratch("tmp", "/tmp")  # noqa: S108 (a volume of the pod's own)


def config_files(name: str, config_map: str, path: str) -> Mount:
    """A ConfigMap's keys as files in a folder."""
    return Mount(
        core.v1.VolumeArgs(name=name, config_map=core.v1.ConfigMapVolumeSourceArgs(name=config_map)),
        core.v1.VolumeMountArgs(name=name, mount_path=path, read_only=True),
    )


def secret_files(name: str, secret: str, path: str) -> Mount:
    """A Secret's keys as files in a folder, readable by the pod's group alone."""
    return Mount(
        # Mode 0440, in decimal as the API wants it.
        core.v1.VolumeArgs(name=name, secret=core.v1.SecretVolumeSourceArgs(secret_name=secret, default_mode=0o440)),
        core.v1.VolumeMountArgs(name=name, mount_path=path, read_only=True),
    )


def environment(values: Mapping[str, str]) -> list[core.v1.EnvVarArgs]:
    """Environment variables in a stable order."""
    return [core.v1.EnvVarArgs(name=name, value=value) for name, value in values.items()]


def checksum(data: Mapping[str, str]) -> str:
    """A fingerprint of configuration: on a pod template it makes a changed ConfigMap roll the pods."""
    return hashlib.sha256(json.dumps(dict(data), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PodArgs:
    """What tells one pod template from another; everything else is the same for all of them.

    ``name`` is the workload's, its ServiceAccount's and the value of its selector. ``sidecars`` are ready before the
    containers start, and end after them; one without a restart policy of its own has ended before they start.
    """

    name: str
    component: str
    section: Section
    user_id: int
    containers: Sequence[core.v1.ContainerArgs]
    mounts: Sequence[Mount]
    grace_seconds: int = 30
    config: Mapping[str, str] | None = None
    token: bool = False
    restart_policy: str | None = None
    sidecars: Sequence[core.v1.ContainerArgs] = ()
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


def template(args: PodArgs, settings: Settings) -> core.v1.PodTemplateSpecArgs:
    """A pod that the namespace admits, with its owner, its section and the fingerprint of its configuration."""
    stamp = {CHECKSUM_ANNOTATION: checksum(args.config)} if args.config is not None else {}
    pull = settings.image_pull_secret
    runs_once = args.restart_policy is not None
    return core.v1.PodTemplateSpecArgs(
        metadata=meta.v1.ObjectMetaArgs(
            labels=labels(args.name, settings.owner, args.component),
            annotations=section_annotations(args.section, **stamp, **args.annotations),
        ),
        spec=core.v1.PodSpecArgs(
            service_account_name=args.name,
            automount_service_account_token=args.token,
            # The kubelet would else inject an address pair for every Service of the namespace.
            enable_service_links=False,
            priority_class_name=priorities.class_name(args.component, settings.namespace),
            restart_policy=args.restart_policy,
            security_context=pod_security(args.user_id),
            image_pull_secrets=[core.v1.LocalObjectReferenceArgs(name=pull)] if pull else None,
            topology_spread_constraints=None if runs_once else spread(args.name),
            termination_grace_period_seconds=args.grace_seconds,
            init_containers=list(args.sidecars) or None,
            containers=list(args.containers),
            volumes=[mount.volume for mount in args.mounts],
        ),
    )
