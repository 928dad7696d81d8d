"""The jobs of the runbook: which command runs when, with which rights."""

from __future__ import annotations

from components.ops_job import OpsCronJobArgs, Rule
from runbook import schedules
from runbook.settings import Resources, Settings

_SMALL = Resources(cpu_request="50m", memory_request="128Mi", memory_limit="256Mi")


def backup_postgres(settings: Settings) -> OpsCronJobArgs:
    """Section 5.1. It asks the Kubernetes API for nothing, so it gets no Role and no token."""
    return OpsCronJobArgs(
        schedule=schedules.BACKUP_POSTGRES,
        command=("backup", "postgres", "--json"),
        resources=settings.backup.resources,
        deadline_seconds=4 * 3600,
        secrets=(settings.secrets.postgres_backup,),
        uses_bucket=True,
    )


def health_check(settings: Settings) -> OpsCronJobArgs:
    """Section 1.1. It reads the pods of its namespace and the list of backups, and changes nothing."""
    return OpsCronJobArgs(
        schedule=schedules.HEALTH_CHECK,
        command=("health", "--json"),
        resources=_SMALL,
        deadline_seconds=300,
        # A failed check is an answer, not an accident.
        retries=0,
        secrets=(settings.secrets.postgres_backup,),
        rules=(Rule(resources=("pods",), verbs=("get", "list")),),
        uses_bucket=True,
    )


def all_jobs(settings: Settings) -> tuple[OpsCronJobArgs, ...]:
    """Every job of the stack."""
    return (backup_postgres(settings), health_check(settings))
