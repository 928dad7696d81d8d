"""Alerts on backups and on the scheduled jobs (sections 5.1 to 5.4)."""

from __future__ import annotations

from typing import Final

from runbook import jobs, practices
from runbook.alerting.model import NAMESPACE, Alert, Comparison, Limit, State, Team
from runbook.sections import Section
from runbook.severities import P3

_HERE: Final = f'namespace="{NAMESPACE}"'
# What runs each day and must not be older than a day and its run.
DAILY_BACKUPS: Final = tuple(job.name for job in (jobs.BACKUP_POSTGRES, jobs.BACKUP_REDIS, jobs.BACKUP_RESOURCES))
_BACKUPS: Final = f'{_HERE}, cronjob=~"{"|".join(DAILY_BACKUPS)}"'
_PROOF: Final = f'{_HERE}, cronjob="{jobs.BACKUP_VERIFY.name}"'
_SUCCEEDED: Final = "kube_cronjob_status_last_successful_time"
_CREATED: Final = "kube_cronjob_created"


def _age(metric: str, selector: str) -> str:
    return f"time() - max by (cronjob) ({metric}{{{selector}}})"


BACKUP_STALE: Final = Alert(
    "BackupStale",
    Limit(_age(_SUCCEEDED, _BACKUPS), Comparison.ABOVE, practices.BACKUP_AGE),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.DATABASE_BACKUP,
    "The last good run of {{ $labels.cronjob }} is {{ $value | humanizeDuration }} old",
    "{{ $labels.cronjob }} last succeeded {{ $value | humanizeDuration }} ago; the limit is <limit>. What was written "
    "since then would be lost.",
    diagnosis=("ops backups list", "kubectl logs -l app={{ $labels.cronjob }} --tail=50"),
    remedies=("ops backup postgres", "ops backup redis", "ops backup resources"),
)
BACKUP_NEVER: Final = Alert(
    "BackupNeverSucceeded",
    # Until its first success a CronJob has no time of it, and the alert above would be silent for ever.
    Limit(
        _age(_CREATED, _BACKUPS),
        Comparison.ABOVE,
        practices.BACKUP_AGE,
        but=f"unless on (cronjob) {_SUCCEEDED}{{{_BACKUPS}}}",
    ),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.DATABASE_BACKUP,
    "{{ $labels.cronjob }} has never succeeded",
    "{{ $labels.cronjob }} exists since {{ $value | humanizeDuration }} and has never succeeded; the limit is <limit>. "
    "There is no backup.",
    diagnosis=("ops backups list", "kubectl logs -l app={{ $labels.cronjob }} --tail=50"),
    remedies=("ops backup postgres", "ops backup redis", "ops backup resources"),
)
PROOF_STALE: Final = Alert(
    "BackupNotProven",
    Limit(
        f"({_age(_SUCCEEDED, _PROOF)} or ({_age(_CREATED, _PROOF)} unless on (cronjob) {_SUCCEEDED}{{{_PROOF}}}))",
        Comparison.ABOVE,
        practices.PROOF_AGE,
    ),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.DATABASE_RECOVERY,
    "No backup was proven for {{ $value | humanizeDuration }}",
    "For {{ $value | humanizeDuration }} no backup was restored and compared; the limit is <limit>. A backup "
    "that nobody restored is a hope.",
    diagnosis=("ops backups list", "kubectl logs -l app=backup-verify --tail=50"),
    remedies=("ops backups verify",),
)
# A failed Job stays for days, so that people can look at it: what counts is whether its CronJob succeeded since.
_FAILED: Final = (
    f'kube_job_status_start_time{{{_HERE}}} and on (job_name) kube_job_failed{{{_HERE}, condition="true"}} == 1'
)
_OWNER: Final = f'kube_job_owner{{{_HERE}, owner_kind="CronJob"}}'
_FAILED_AT: Final = f"max by (owner_name) (({_FAILED}) * on (job_name) group_left (owner_name) {_OWNER})"
_AS_CRONJOB: Final = '"cronjob", "$1", "owner_name", "(.+)"'
JOB_FAILED: Final = Alert(
    "JobFailed",
    State(
        f"max by (cronjob) (label_replace({_FAILED_AT}, {_AS_CRONJOB})) > on (cronjob) "
        f"(max by (cronjob) ({_SUCCEEDED}{{{_HERE}}}) or 0 * max by (cronjob) ({_CREATED}{{{_HERE}}}))"
    ),
    60,
    P3,
    Team.PLATFORM,
    Section.LOG_REVIEW,
    "The last run of {{ $labels.cronjob }} failed",
    "{{ $labels.cronjob }} failed and has not succeeded since.",
    diagnosis=("kubectl get jobs -l app={{ $labels.cronjob }}", "kubectl logs -l app={{ $labels.cronjob }} --tail=50"),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
