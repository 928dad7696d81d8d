"""A job of the operations program: CronJob, ServiceAccount and, where it asks the API for something, its own Role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes import batch, core, meta, rbac

from components import pods
from components.context import Context, child
from components.labels import labels, section_annotations
from components.ops_config import CONFIG_DIRECTORY, CONFIG_MAP, secret_directory
from runbook.schedules import Schedule
from runbook.settings import Resources

USER_ID: Final = 65532
# A CronJob appends eleven characters to its name for each job.
MAX_NAME_LENGTH: Final = 52
# Wrong usage or configuration: trying again cannot help.
EXIT_CONFIGURATION: Final = 2
DAY_SECONDS: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on resources of an API group, inside the namespace."""

    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    api_group: str = ""


@dataclass(frozen=True, slots=True)
class OpsCronJobArgs:
    """A scheduled command of ``ops``. ``deadline_seconds`` ends a run that hangs; ``secrets`` are mounted as files."""

    schedule: Schedule
    command: tuple[str, ...]
    resources: Resources
    deadline_seconds: int
    retries: int = 2
    secrets: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    uses_bucket: bool = False

    def __post_init__(self) -> None:
        if len(self.schedule.name) > MAX_NAME_LENGTH:
            raise ValueError(f"CronJob {self.schedule.name!r}: a name has at most {MAX_NAME_LENGTH} characters")

    @property
    def name(self) -> str:
        """Name of the CronJob and of everything that belongs to it."""
        return self.schedule.name


def _mounts(args: OpsCronJobArgs, context: Context) -> list[pods.Mount]:
    secrets = list(args.secrets)
    credentials = context.settings.aws.credentials_secret
    if args.uses_bucket and credentials:
        secrets.append(credentials)
    return [
        pods.config_files("config", CONFIG_MAP, CONFIG_DIRECTORY),
        pods.scratch("tmp", "/tmp"),
        *(pods.secret_files(f"secret-{name}"[:63], name, secret_directory(name)) for name in secrets),
    ]


def _environment(args: OpsCronJobArgs, context: Context) -> dict[str, str]:
    credentials = context.settings.aws.credentials_secret
    if not (args.uses_bucket and credentials):
        return {}
    return {"AWS_SHARED_CREDENTIALS_FILE": f"{secret_directory(credentials)}/credentials"}


def pod_args(args: OpsCronJobArgs, context: Context) -> core.v1.PodTemplateSpecArgs:
    """A run's pod. It gets a token for the API only where the job has a Role."""
    mounts = _mounts(args, context)
    container = core.v1.ContainerArgs(
        name="ops",
        image=context.settings.image("ops"),
        args=list(args.command),
        env=pods.environment(_environment(args, context)),
        resources=pods.requirements(args.resources),
        security_context=pods.container_security(),
        volume_mounts=[mount.mount for mount in mounts],
        termination_message_policy="FallbackToLogsOnError",
    )
    return pods.template(
        pods.PodArgs(
            name=args.name,
            component="operations",
            section=args.schedule.section,
            user_id=USER_ID,
            containers=[container],
            mounts=mounts,
            token=bool(args.rules),
            restart_policy="Never",
        ),
        context.settings,
    )


def _failure_policy() -> batch.v1.PodFailurePolicyArgs:
    """A wrong configuration fails the job at once; a node that goes away does not count as a try."""
    return batch.v1.PodFailurePolicyArgs(
        rules=[
            batch.v1.PodFailurePolicyRuleArgs(
                action="FailJob",
                on_exit_codes=batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
                    container_name="ops", operator="In", values=[EXIT_CONFIGURATION]
                ),
            ),
            batch.v1.PodFailurePolicyRuleArgs(
                action="Ignore",
                on_pod_conditions=[
                    batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
                ],
            ),
        ]
    )


def cron_job_args(args: OpsCronJobArgs, context: Context) -> batch.v1.CronJobInitArgs:
    """The CronJob: an explicit time zone, never two runs at once, and a missed run caught up within the hour."""
    return batch.v1.CronJobInitArgs(
        metadata=context.metadata(args.name, "operations", args.schedule.section),
        spec=batch.v1.CronJobSpecArgs(
            schedule=args.schedule.cron,
            time_zone=context.settings.time_zone,
            concurrency_policy="Forbid",
            # Without it, a job that was suspended fires every missed run at once when it is resumed.
            starting_deadline_seconds=3600,
            successful_jobs_history_limit=3,
            failed_jobs_history_limit=5,
            job_template=batch.v1.JobTemplateSpecArgs(
                metadata=meta.v1.ObjectMetaArgs(labels=labels(args.name, context.settings.owner, "operations")),
                spec=batch.v1.JobSpecArgs(
                    backoff_limit=args.retries,
                    active_deadline_seconds=args.deadline_seconds,
                    ttl_seconds_after_finished=7 * DAY_SECONDS,
                    pod_failure_policy=_failure_policy(),
                    template=pod_args(args, context),
                ),
            ),
        ),
    )


def role_args(args: OpsCronJobArgs, context: Context) -> rbac.v1.RoleInitArgs:
    """The job's Role: exactly the rules that it names."""
    return rbac.v1.RoleInitArgs(
        metadata=context.metadata(args.name, "operations", args.schedule.section),
        rules=[
            rbac.v1.PolicyRuleArgs(api_groups=[rule.api_group], resources=list(rule.resources), verbs=list(rule.verbs))
            for rule in args.rules
        ],
    )


def role_binding_args(args: OpsCronJobArgs, context: Context) -> rbac.v1.RoleBindingInitArgs:
    """Binds the job's Role to its own ServiceAccount and to nobody else."""
    return rbac.v1.RoleBindingInitArgs(
        metadata=context.metadata(args.name, "operations", args.schedule.section),
        role_ref=rbac.v1.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=args.name),
        subjects=[rbac.v1.SubjectArgs(kind="ServiceAccount", name=args.name, namespace=context.settings.namespace)],
    )


class OpsCronJob(pulumi.ComponentResource):
    """A scheduled run of ``ops``."""

    def __init__(
        self,
        name: str,
        args: OpsCronJobArgs,
        context: Context,
        role_arn: pulumi.Input[str] | None = None,
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("crypto:ops:CronJob", name, None, opts)
        metadata = context.metadata(args.name, "operations", args.schedule.section)
        if role_arn is not None:
            metadata.annotations = {
                **section_annotations(args.schedule.section),
                "eks.amazonaws.com/role-arn": role_arn,
            }
        account = core.v1.ServiceAccount(
            f"{name}-service-account",
            core.v1.ServiceAccountInitArgs(metadata=metadata, automount_service_account_token=False),
            child(self),
        )
        needed: list[pulumi.Resource] = [account, *depends_on]
        if args.rules:
            role = rbac.v1.Role(f"{name}-role", role_args(args, context), child(self))
            needed.append(
                rbac.v1.RoleBinding(
                    f"{name}-role-binding", role_binding_args(args, context), child(self, depends_on=[role])
                )
            )
        self.cron_job = batch.v1.CronJob(
            f"{name}-cron-job", cron_job_args(args, context), child(self, depends_on=needed)
        )
        self.name = self.cron_job.metadata.name
        self.register_outputs({"name": self.name})
