"""A service of the system: Deployment, Service, ServiceAccount, HorizontalPodAutoscaler and PodDisruptionBudget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes import apps, autoscaling, core, meta, policy

from components import pods
from components.app_config import CONFIG_MAP, service_environment
from components.context import Context, child
from components.labels import SKIP_AWAIT, selector
from runbook import datastores, redis_users, services
from runbook.sections import Section
from runbook.services import ServiceSpec
from runbook.settings import ServiceSettings

# The services' images run as this user; it is distroless's "nonroot".
USER_ID: Final = 65532
CPU_TARGET_PERCENT: Final = 70
# A model of several hundred megabytes loads before the sentiment service answers: 5 s x 60 is five minutes.
STARTUP_PERIOD, STARTUP_FAILURES = 5, 60
# `ops scale` owns it from the first morning on: a deployment at 09:00 must not end the peak, nor fail on a conflict.
_SCALED_BY_JOBS: Final = ("spec.minReplicas",)
_SECRETS: Final = "/etc/crypto/secrets"


@dataclass(frozen=True, slots=True)
class MicroserviceArgs:
    """A service as the runbook knows it, as the stack sets it, and the shared configuration that its pods read."""

    spec: ServiceSpec
    settings: ServiceSettings
    shared_config: Mapping[str, str]

    def secrets(self, context: Context) -> dict[str, str]:
        """Secrets that the pods mount: folder -> Secret."""
        names: dict[str, str] = {}
        if datastores.PGBOUNCER in self.spec.uses:
            names["database"] = context.settings.secrets.postgres
        if self.spec.uses_jwt:
            names["jwt"] = context.settings.secrets.jwt
        if datastores.REDIS in self.spec.uses:
            names |= redis_users.client_secrets(context.settings, redis_users.SERVICES)
        if datastores.KAFKA in self.spec.uses:
            names |= context.settings.kafka.client_secrets()
        return names


def _secret_environment(args: MicroserviceArgs, context: Context) -> dict[str, str]:
    files: dict[str, str] = {}
    if datastores.PGBOUNCER in args.spec.uses:
        files["DATABASE_PASSWORD_FILE"] = f"{_SECRETS}/database/password"
    if args.spec.uses_jwt:
        files["JWT_SECRET_FILE"] = f"{_SECRETS}/jwt/secret"
        # There while a rotation overlaps, and not at other times.
        files["JWT_PREVIOUS_SECRET_FILE"] = f"{_SECRETS}/jwt/previous"
    for store in ("redis", "kafka"):
        named = {"PASSWORD": f"{store}/password", "CA": f"{store}-ca/ca.crt"}
        files |= {
            f"{store.upper()}_{name}_FILE": f"{_SECRETS}/{path}"
            for name, path in named.items()
            if path.partition("/")[0] in args.secrets(context)
        }
    return files


def container_args(args: MicroserviceArgs, context: Context, mounts: Sequence[pods.Mount]) -> core.v1.ContainerArgs:
    """The service's container.

    The three probes ask different things: startup waits for the first answer, readiness asks whether the service and
    what it needs work, and liveness only whether the process still accepts connections. Were liveness to ask for the
    database, an outage of the database would restart every service.
    """
    spec = args.spec
    return core.v1.ContainerArgs(
        name=spec.name,
        image=context.settings.image(spec.name),
        ports=[core.v1.ContainerPortArgs(name="http", container_port=spec.port)],
        env=pods.environment({**service_environment(spec, args.settings), **_secret_environment(args, context)}),
        env_from=[core.v1.EnvFromSourceArgs(config_map_ref=core.v1.ConfigMapEnvSourceArgs(name=CONFIG_MAP))],
        resources=pods.requirements(args.settings.resources),
        security_context=pods.container_security(),
        startup_probe=pods.http_probe(spec.health_path, "http", period=STARTUP_PERIOD, failures=STARTUP_FAILURES),
        readiness_probe=pods.http_probe(spec.health_path, "http", period=10, failures=3),
        liveness_probe=pods.tcp_probe("http", period=20, failures=3),
        volume_mounts=[mount.mount for mount in mounts],
        # Endpoints are withdrawn while the pod still answers: no request meets a closed port during a rollout.
        lifecycle=core.v1.LifecycleArgs(
            pre_stop=core.v1.LifecycleHandlerArgs(sleep=core.v1.SleepActionArgs(seconds=5))
        ),
    )


def deployment_args(args: MicroserviceArgs, context: Context) -> apps.v1.DeploymentInitArgs:
    """The Deployment. ``replicas`` is left out: the HPA owns them, and two owners would fight (defect 14)."""
    spec = args.spec
    mounts = [
        pods.temporary(),
        *(pods.secret_files(name, secret, f"{_SECRETS}/{name}") for name, secret in args.secrets(context).items()),
    ]
    return apps.v1.DeploymentInitArgs(
        metadata=context.metadata(spec.name, "service", spec.section),
        spec=apps.v1.DeploymentSpecArgs(
            selector=meta.v1.LabelSelectorArgs(match_labels=selector(spec.name)),
            revision_history_limit=5,
            strategy=apps.v1.DeploymentStrategyArgs(
                type="RollingUpdate",
                rolling_update=apps.v1.RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0),
            ),
            template=pods.template(
                pods.PodArgs(
                    name=spec.name,
                    component="service",
                    section=spec.section,
                    user_id=USER_ID,
                    containers=[container_args(args, context, mounts)],
                    mounts=mounts,
                    config=args.shared_config,
                ),
                context.settings,
            ),
        ),
    )


def autoscaler_args(args: MicroserviceArgs, context: Context) -> autoscaling.v2.HorizontalPodAutoscalerInitArgs:
    """The HPA between the normal and the peak replicas (sections 4.1 and 4.2): up at once, down slowly."""
    spec = args.spec
    return autoscaling.v2.HorizontalPodAutoscalerInitArgs(
        metadata=context.metadata(spec.name, "autoscaler", Section.AUTOSCALING),
        spec=autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
            scale_target_ref=autoscaling.v2.CrossVersionObjectReferenceArgs(
                api_version="apps/v1", kind="Deployment", name=spec.name
            ),
            min_replicas=args.settings.replicas_normal,
            max_replicas=args.settings.replicas_peak,
            metrics=[
                autoscaling.v2.MetricSpecArgs(
                    type="Resource",
                    resource=autoscaling.v2.ResourceMetricSourceArgs(
                        name="cpu",
                        target=autoscaling.v2.MetricTargetArgs(
                            type="Utilization", average_utilization=CPU_TARGET_PERCENT
                        ),
                    ),
                )
            ],
            behavior=autoscaling.v2.HorizontalPodAutoscalerBehaviorArgs(
                scale_up=_scaling_rules(window=0, pods=4, period=30),
                scale_down=_scaling_rules(window=300, pods=1, period=60),
            ),
        ),
    )


def _scaling_rules(*, window: int, pods: int, period: int) -> autoscaling.v2.HPAScalingRulesArgs:
    return autoscaling.v2.HPAScalingRulesArgs(
        stabilization_window_seconds=window,
        select_policy="Max",
        policies=[autoscaling.v2.HPAScalingPolicyArgs(type="Pods", value=pods, period_seconds=period)],
    )


def service_args(args: MicroserviceArgs, context: Context) -> core.v1.ServiceInitArgs:
    """The Service under the name that the runbook uses, which is not always the Deployment's."""
    spec = args.spec
    metadata = context.metadata(spec.service_name, "service", spec.section, SKIP_AWAIT)
    return core.v1.ServiceInitArgs(
        metadata=metadata,
        spec=core.v1.ServiceSpecArgs(
            selector=selector(spec.name),
            ports=[core.v1.ServicePortArgs(name="http", port=spec.port, target_port="http")],
        ),
    )


class Microservice(pulumi.ComponentResource):
    """One service. ``url`` is its address inside the namespace."""

    def __init__(
        self,
        name: str,
        args: MicroserviceArgs,
        context: Context,
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("crypto:service:Microservice", name, None, opts)
        spec = args.spec
        account = core.v1.ServiceAccount(
            f"{name}-service-account",
            core.v1.ServiceAccountInitArgs(
                metadata=context.metadata(spec.name, "service-account", spec.section),
                automount_service_account_token=False,
            ),
            child(self),
        )
        self.service = core.v1.Service(f"{name}-service", service_args(args, context), child(self))
        self.deployment = apps.v1.Deployment(
            f"{name}-deployment", deployment_args(args, context), child(self, depends_on=[account, *depends_on])
        )
        scaled = spec in services.SCALED_AT_PEAK
        # Beside the Deployment and not after it: the engine would wait for a first pod, and only then begin the others.
        autoscaling.v2.HorizontalPodAutoscaler(
            f"{name}-autoscaler",
            autoscaler_args(args, context),
            child(self, depends_on=list(depends_on), ignore_changes=_SCALED_BY_JOBS if scaled else None),
        )
        # A pod that is not ready does not hold up a drain.
        metadata = context.metadata(spec.name, "disruption-budget", spec.section)
        budget = pods.disruption_budget_args(spec.name, metadata, unready="AlwaysAllow")
        policy.v1.PodDisruptionBudget(f"{name}-disruption-budget", budget, child(self))
        self.url = spec.url
        self.register_outputs({"url": self.url})
