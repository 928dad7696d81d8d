"""The jobs of the runbook with what the stack's settings add: resources, Secrets, rights."""

from __future__ import annotations

from dataclasses import replace

from components.ops_job import OpsCronJobArgs
from runbook import bucket_roles, capacity, jobs, redis_users
from runbook.jobs import Job, Need, Right
from runbook.settings import Settings


def secrets(job: Job, settings: Settings) -> tuple[str, ...]:
    """Secrets that the job's pod mounts: those of the parties that it talks to, and no other."""
    names, sinks = settings.secrets, settings.notifications
    by_need: dict[Need, tuple[str | None, ...]] = {
        Need.POSTGRES_BACKUP: (names.postgres_backup,),
        Need.POSTGRES_MAINTENANCE: (names.postgres_maintenance,),
        Need.POSTGRES_REAPER: (names.postgres_reaper,),
        Need.REDIS: tuple(redis_users.client_secrets(settings, redis_users.BACKUP).values()),
        Need.KAFKA: tuple(settings.kafka.client_secrets().values()),
        Need.BUCKET: (settings.aws.credentials_secret,),
        Need.DECRYPTION: (names.backup_key if settings.backup.public_key else None,),
        Need.SIGNING: (_signing(job, settings),),
        Need.NOTIFY: (sinks.mail.secret if sinks.mail else None, sinks.slack_secret),
    }
    wanted = [name for need, found in by_need.items() if need in job.needs for name in found]
    if job.needs & jobs.OF_POSTGRES:
        wanted += settings.postgres.authority_secrets().values()
    return tuple(dict.fromkeys(name for name in wanted if name))


def _signing(job: Job, settings: Settings) -> str | None:
    """The Secret with the key that the job signs with: a signer is called like its role in the bucket."""
    role = bucket_roles.of(job.name)
    return settings.secrets.signing.get(role.name) if role and settings.backup.signers else None


def rights(job: Job, settings: Settings) -> tuple[Right, ...]:
    """What the job may do in the cluster. It reads all Secrets only where they can be encrypted."""
    given = job.rights if settings.backup.public_key else tuple(map(_without_secrets, job.rights))
    if Need.JWT_SECRET not in job.needs:
        return given
    # No `create`: it cannot be limited to a name, and the Secret exists.
    return (Right(("secrets",), ("get", "patch"), names=(settings.secrets.jwt,)), *given)


def _without_secrets(right: Right) -> Right:
    return replace(right, resources=tuple(resource for resource in right.resources if resource != "secrets"))


def job_args(job: Job, settings: Settings) -> OpsCronJobArgs:
    """The CronJob's arguments."""
    return OpsCronJobArgs(
        job=job,
        resources=capacity.job_resources(job, settings),
        secrets=secrets(job, settings),
        rights=rights(job, settings),
    )


def all_jobs(settings: Settings) -> tuple[OpsCronJobArgs, ...]:
    """Every job of the stack."""
    return tuple(job_args(job, settings) for job in jobs.ALL)
