"""A job of the operations program: CronJob, ServiceAccount and, where it asks the API for something, its own Role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes import batch, core, meta, rbac

from components import pods, scratch
from components.context import Context, child
from components.labels import ROLE_ANNOTATION, labels, section_annotations
from components.ops_config import CONFIG_DIRECTORY, CONFIG_MAP, secret_directory
from components.rights import policy_rules, role_ref
from runbook import first_week
from runbook.jobs import Job, Need, Right
from runbook.schedules import Schedule
from runbook.settings import Resources, Settings

USER_ID: Final = 65532
# A CronJob appends eleven characters to its name for each job.
MAX_NAME_LENGTH: Final = 52
# Wrong usage or configuration: trying again cannot help.
EXIT_CONFIGURATION: Final = 2
# A check failed: of a job that finds, the only way to end badly that is an answer.
EXIT_FOUND: Final = 1
DAY_SECONDS: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class OpsCronJobArgs:
    """A scheduled command of ``ops`` with what its stack gives it; ``secrets`` are mounted as files."""

    job: Job
    resources: Resources
    secrets: tuple[str, ...] = ()
    rights: tuple[Right, ...] = ()

    def __post_init__(self) -> None:
        if len(self.name) > MAX_NAME_LENGTH:
            raise ValueError(f"CronJob {self.name!r}: a name has at most {MAX_NAME_LENGTH} characters")

    @property
    def name(self) -> str:
        """Name of the CronJob and of everything that belongs to it."""
        return self.job.name

    @property
    def schedule(self) -> Schedule:
        """When it runs."""
        return self.job.schedule

    def rights_in(self, *, cluster: bool) -> tuple[Right, ...]:
        """The rights inside the namespace, or those on what has no namespace."""
        return tuple(right for right in self.rights if right.cluster is cluster)


def _mounts(args: OpsCronJobArgs) -> list[pods.Mount]:
    return [
        pods.config_files("config", CONFIG_MAP, CONFIG_DIRECTORY),
        pods.temporary(),
        *(pods.secret_files(f"secret-{name}"[:63], name, secret_directory(name)) for name in args.secrets),
    ]


def _environment(args: OpsCronJobArgs, context: Context) -> dict[str, str]:
    credentials = context.settings.aws.credentials_secret
    values: dict[str, str] = {}
    if credentials in args.secrets:
        values["AWS_SHARED_CREDENTIALS_FILE"] = f"{secret_directory(credentials)}/credentials"
    if args.schedule.first_week:
        values |= {first_week.VARIABLE: "1", first_week.ZONE_VARIABLE: time_zone(args, context.settings)}
    return values


def time_zone(args: OpsCronJobArgs, settings: Settings) -> str:
    """The schedule's own time zone, else the stack's."""
    return args.schedule.time_zone or settings.time_zone


def pod_args(args: OpsCronJobArgs, context: Context) -> core.v1.PodTemplateSpecArgs:
    """A run's pod. It gets a token for the API only where the job has a Role."""
    tries = Need.SCRATCH in args.job.needs
    mounts = [*_mounts(args), *([scratch.mount(args.name, context)] if tries else [])]
    container = core.v1.ContainerArgs(
        name="ops",
        image=context.settings.image("ops"),
        args=list(args.job.command),
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
            token=bool(args.rights),
            restart_policy="Never",
            sidecars=scratch.containers(context) if tries else (),
            annotations=scratch.ANNOTATIONS if tries else {},
        ),
        context.settings,
    )


def _failure_policy(job: Job) -> batch.v1.PodFailurePolicyArgs:
    """A wrong configuration fails the job at once; a node that goes away does not count as a try.

    A job that finds fails at once by everything but a finding. So the reason of the failed Job tells the two apart:
    ``BackoffLimitExceeded`` is a finding, all others say that it broke.
    """
    lost = batch.v1.PodFailurePolicyRuleArgs(
        action="Ignore",
        on_pod_conditions=[batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")],
    )
    # The first rule that fits counts, and a pod that is evicted ends with a code, too.
    rules = [lost, _at_once("NotIn", EXIT_FOUND)] if job.finds else [_at_once("In", EXIT_CONFIGURATION), lost]
    return batch.v1.PodFailurePolicyArgs(rules=rules)


def _at_once(operator: str, code: int) -> batch.v1.PodFailurePolicyRuleArgs:
    codes = batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(container_name="ops", operator=operator, values=[code])
    return batch.v1.PodFailurePolicyRuleArgs(action="FailJob", on_exit_codes=codes)


def cron_job_args(args: OpsCronJobArgs, context: Context) -> batch.v1.CronJobInitArgs:
    """The CronJob: an explicit time zone, never two runs at once, and a missed run caught up soon or not at all."""
    return batch.v1.CronJobInitArgs(
        metadata=context.metadata(args.name, "operations", args.schedule.section),
        spec=batch.v1.CronJobSpecArgs(
            schedule=args.schedule.cron,
            time_zone=time_zone(args, context.settings),
            # Left out and not false: so it is `ops maintenance` that may suspend a job, and a deployment leaves it so.
            suspend=context.settings.maintenance or None,
            concurrency_policy="Forbid",
            # Without it, a job that was suspended fires every missed run at once when it is resumed.
            starting_deadline_seconds=args.schedule.catch_up_seconds,
            successful_jobs_history_limit=3,
            failed_jobs_history_limit=5,
            job_template=batch.v1.JobTemplateSpecArgs(
                metadata=meta.v1.ObjectMetaArgs(labels=labels(args.name, context.settings.owner, "operations")),
                spec=batch.v1.JobSpecArgs(
                    backoff_limit=args.job.retries,
                    active_deadline_seconds=args.job.deadline_seconds,
                    ttl_seconds_after_finished=7 * DAY_SECONDS,
                    pod_failure_policy=_failure_policy(args.job),
                    template=pod_args(args, context),
                ),
            ),
        ),
    )


def cluster_role_name(args: OpsCronJobArgs, settings: Settings) -> str:
    """Name of a job's ClusterRole: those of two namespaces must not meet."""
    return f"{settings.namespace}-{args.name}"


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
            metadata.annotations = {**section_annotations(args.schedule.section), ROLE_ANNOTATION: role_arn}
        account = core.v1.ServiceAccount(
            f"{name}-service-account",
            core.v1.ServiceAccountInitArgs(metadata=metadata, automount_service_account_token=False),
            child(self),
        )
        needed: list[pulumi.Resource] = [account, *depends_on]
        needed += self._roles(name, args, context)
        self.cron_job = batch.v1.CronJob(
            f"{name}-cron-job", cron_job_args(args, context), child(self, depends_on=needed)
        )
        self.name = self.cron_job.metadata.name
        self.register_outputs({"name": self.name})

    def _roles(self, name: str, args: OpsCronJobArgs, context: Context) -> list[pulumi.Resource]:
        """The job's Role and, where it reads what has no namespace, its ClusterRole, bound to it and to nobody else."""
        made: list[pulumi.Resource] = []
        metadata = context.metadata(args.name, "operations", args.schedule.section)
        subjects = [rbac.v1.SubjectArgs(kind="ServiceAccount", name=args.name, namespace=context.settings.namespace)]
        inside, outside = args.rights_in(cluster=False), args.rights_in(cluster=True)
        if inside:
            role = rbac.v1.Role(
                f"{name}-role", rbac.v1.RoleInitArgs(metadata=metadata, rules=policy_rules(inside)), child(self)
            )
            binding = rbac.v1.RoleBindingInitArgs(
                metadata=metadata, role_ref=role_ref("Role", args.name), subjects=subjects
            )
            made.append(rbac.v1.RoleBinding(f"{name}-role-binding", binding, child(self, depends_on=[role])))
        if outside:
            shared = cluster_role_name(args, context.settings)
            cluster_metadata = context.cluster_metadata(shared, "operations", args.schedule.section)
            cluster_role = rbac.v1.ClusterRole(
                f"{name}-cluster-role",
                rbac.v1.ClusterRoleInitArgs(metadata=cluster_metadata, rules=policy_rules(outside)),
                child(self),
            )
            cluster_binding = rbac.v1.ClusterRoleBindingInitArgs(
                metadata=cluster_metadata, role_ref=role_ref("ClusterRole", shared), subjects=subjects
            )
            made.append(
                rbac.v1.ClusterRoleBinding(
                    f"{name}-cluster-role-binding", cluster_binding, child(self, depends_on=[cluster_role])
                )
            )
        return made
