"""Alerts on backups and on the scheduled jobs (sections 5.1 to 5.4)."""

from __future__ import annotations

from typing import Final

from runbook import jobs, practices
from runbook.alerting.model import NAMESPACE, Alert, Comparison, Limit, State, Team, kubectl
from runbook.sections import Section
from runbook.severities import P3, P4

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
    diagnosis=("ops backups list", kubectl("logs -l app={{ $labels.cronjob }} --tail=50")),
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
    diagnosis=("ops backups list", kubectl("logs -l app={{ $labels.cronjob }} --tail=50")),
    remedies=("ops backup postgres", "ops backup redis", "ops backup resources"),
)
PROOF_STALE: Final = Alert(
    "BackupNotProven",
    Limit(
        f"({_age(_SUCCEEDED, _PROOF)} or {_age(_CREATED, _PROOF)})",
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
    diagnosis=("ops backups list", kubectl("logs -l app=backup-verify --tail=50")),
    remedies=("ops backups verify",),
)
RECOVERY_POINT_OLD: Final = Alert(
    "RecoveryPointOld",
    # By what lies in the bucket: the job above can succeed again and again on a backup that is no longer made.
    Limit(
        f"time() - max by (kind) (crypto_backup_proven_timestamp_seconds{{{_HERE}}})",
        Comparison.ABOVE,
        practices.PROOF_AGE,
    ),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.DATABASE_RECOVERY,
    "What {{ $labels.kind }} can be restored to is {{ $value | humanizeDuration }} old",
    "The newest proven backup of {{ $labels.kind }} brings back the state of {{ $value | humanizeDuration }} ago; the "
    "limit is <limit>. What came after it would be lost.",
    diagnosis=("ops backups list", "ops backups metrics"),
    remedies=("ops backups verify",),
)
BACKUP_SHRUNK: Final = Alert(
    "BackupShrunk",
    State(f"max by (kind) (crypto_backup_shrunk{{{_HERE}}}) == 1"),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.DATABASE_RECOVERY,
    "The newest backup of {{ $labels.kind }} has far less than the one before it",
    "The newest proven backup of {{ $labels.kind }} has far fewer rows, keys or objects than the one before it, or all "
    "of some kind are gone: something may have emptied the store. It supersedes nothing, so that the full one stays, "
    "until a person accepts it. Look what is missing, and restore the full one if nobody meant that.",
    diagnosis=("ops backups list", kubectl("logs -l app=backup-verify --tail=50")),
    remedies=("ops backups accept ID",),
)
_DRILL: Final = f'{_HERE}, cronjob="{jobs.RESTORE_DRILL.name}"'
DRILL_OVERDUE: Final = Alert(
    "RestoreDrillOverdue",
    Limit(
        f"({_age(_SUCCEEDED, _DRILL)} or {_age(_CREATED, _DRILL)})",
        Comparison.ABOVE,
        practices.DRILL_AGE,
    ),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.RESTORE_DRILL,
    "The last restore drill is {{ $value | humanizeDuration }} ago",
    "For {{ $value | humanizeDuration }} nobody has restored everything and measured how long it takes; the limit is "
    "<limit>.",
    diagnosis=(kubectl("get jobs -l app=restore-drill"), kubectl("logs -l app=restore-drill --tail=50")),
    remedies=("ops drill",),
)
# A failed Job stays for days, so that people can look at it: what counts is whether its CronJob succeeded since.
_FAILED: Final = (
    f'kube_job_status_start_time{{{_HERE}}} and on (job_name) kube_job_failed{{{_HERE}, condition="true"}} == 1'
)
_OWNER: Final = f'kube_job_owner{{{_HERE}, owner_kind="CronJob"}}'
# A job that looks for something ends with 1 when it has found it, and only then for this reason (its podFailurePolicy):
# it is not broken. Without the reason's metric, a finding is told as a failure.
_FINDERS: Final = "|".join(job.name for job in jobs.ALL if job.finds)
_FOUND: Final = (
    f'kube_job_status_failed{{{_HERE}, reason="BackoffLimitExceeded"}} == 1 and on (job_name) '
    f'kube_job_owner{{{_HERE}, owner_kind="CronJob", owner_name=~"{_FINDERS}"}}'
)


def _newest(runs: str) -> str:
    """When the newest of these runs began, by CronJob."""
    owned = f"max by (owner_name) (({runs}) * on (job_name) group_left (owner_name) {_OWNER})"
    return f'max by (cronjob) (label_replace({owned}, "cronjob", "$1", "owner_name", "(.+)"))'


_BROKE_AT: Final = _newest(f"{_FAILED} unless on (job_name) ({_FOUND})")
_FOUND_AT: Final = _newest(f"{_FAILED} and on (job_name) ({_FOUND})")
_SUCCESS_AT: Final = f"(max by (cronjob) ({_SUCCEEDED}{{{_HERE}}}) or 0 * max by (cronjob) ({_CREATED}{{{_HERE}}}))"


def _last(moment: str) -> State:
    """True while ``moment`` is later than the last success, and no run failed after it for another reason."""
    return State(
        f"{moment} > on (cronjob) {_SUCCESS_AT} unless on (cronjob) {_newest(_FAILED)} > on (cronjob) {moment}"
    )


_OTHERS: Final = f'{_HERE}, cronjob!~"{"|".join(DAILY_BACKUPS)}"'
JOB_NEVER: Final = Alert(
    "JobNeverSucceeded",
    # One that has not run yet, such as a quarterly one, owes nothing; one that has found something has done its work.
    Limit(
        _age(_CREATED, _OTHERS),
        Comparison.ABOVE,
        practices.JOB_FIRST_SUCCESS,
        but=f"and on (cronjob) kube_cronjob_status_last_schedule_time{{{_OTHERS}}} "
        f"unless on (cronjob) {_SUCCEEDED}{{{_OTHERS}}} unless on (cronjob) {_FOUND_AT}",
    ),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.LOG_REVIEW,
    "{{ $labels.cronjob }} has run and never succeeded",
    "{{ $labels.cronjob }} exists since {{ $value | humanizeDuration }}, has run and has never succeeded; the limit is "
    "<limit>.",
    diagnosis=(
        kubectl("get jobs -l app={{ $labels.cronjob }}"),
        kubectl("logs -l app={{ $labels.cronjob }} --tail=50"),
    ),
)
JOB_FAILED: Final = Alert(
    "JobFailed",
    _last(_BROKE_AT),
    60,
    P3,
    Team.PLATFORM,
    Section.LOG_REVIEW,
    "The last run of {{ $labels.cronjob }} failed",
    "{{ $labels.cronjob }} failed and has not succeeded since.",
    diagnosis=(
        kubectl("get jobs -l app={{ $labels.cronjob }}"),
        kubectl("logs -l app={{ $labels.cronjob }} --tail=50"),
    ),
)
JOB_FOUND_PROBLEMS: Final = Alert(
    "JobFoundProblems",
    _last(_FOUND_AT),
    60,
    # Its report has told people already, and what is urgent has an alert of its own.
    P4,
    Team.PLATFORM,
    Section.HEALTH_CHECK,
    "The last run of {{ $labels.cronjob }} found problems",
    "{{ $labels.cronjob }} did its work and found something that is not as it must be; no run has found all in order "
    "since. Its report says what, by mail or chat and in its log.",
    diagnosis=(kubectl("logs -l app={{ $labels.cronjob }} --tail=50"), "ops health", "ops slo", "ops logs"),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
