"""CronJobs wait while the system is worked on, and do not catch up afterwards.

``spec.suspend`` is claimed by a field manager of its own and given up again, not set to false: what somebody else
suspended, by hand or by the stack, stays suspended. A CronJob that is resumed starts the last run that it missed
within its starting deadline; it missed none when its last schedule time is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runbook import cron
from runbook import maintenance as names
from scripts.clients.kubernetes import Cluster
from scripts.exits import CheckFailedError


@dataclass(frozen=True, slots=True)
class Job:
    """A CronJob: whether it is suspended, and whether by ``ops maintenance`` (``claimed``)."""

    name: str
    suspended: bool
    claimed: bool
    schedule: str
    time_zone: str | None


def read(cluster: Cluster, namespace: str) -> list[Job]:
    """Every CronJob of the namespace, by name."""
    return sorted((_job(item) for item in cluster.items(_folder(namespace))), key=lambda job: job.name)


def running(cluster: Cluster, namespace: str) -> list[str]:
    """Jobs that run right now: suspending ends none of them."""
    nothing: Any = {}
    items = cluster.items(f"/apis/batch/v1/namespaces/{namespace}/jobs")
    return sorted(str(item["metadata"]["name"]) for item in items if (item.get("status") or nothing).get("active"))


def suspend(cluster: Cluster, namespace: str, job: Job, *, dry_run: bool = False) -> bool:
    """Suspend a CronJob; whether that changed anything."""
    if job.claimed and job.suspended:
        return False
    body = _body(namespace, job.name) | {"spec": {"suspend": True}}
    cluster.apply(_path(namespace, job.name), body, manager=names.MANAGER, dry_run=dry_run)
    return True


def resume(cluster: Cluster, namespace: str, job: Job, *, dry_run: bool = False) -> bool:
    """Give the claim up; whether that changed anything."""
    if not job.claimed:
        return False
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {"status": {"lastScheduleTime": now}}
    cluster.patch(f"{_path(namespace, job.name)}/status", status, dry_run=dry_run)
    cluster.apply(_path(namespace, job.name), _body(namespace, job.name), manager=names.MANAGER, dry_run=dry_run)
    return True


def missed(job: Job, since: datetime, now: datetime) -> datetime | None:
    """The last run of a job that fell between the two moments.

    Raises:
        CheckFailedError: its schedule or its time zone is one that only the API server knows.
    """
    try:
        return cron.latest(job.schedule, job.time_zone or "UTC", since, now)
    except ValueError as error:
        raise CheckFailedError(str(error)) from None


def _job(item: Any) -> Job:
    metadata, spec = item["metadata"], item["spec"]
    listed: list[Any] = metadata.get("managedFields") or []
    return Job(
        name=metadata["name"],
        suspended=bool(spec.get("suspend")),
        claimed=any(entry.get("manager") == names.MANAGER for entry in listed),
        schedule=spec["schedule"],
        time_zone=spec.get("timeZone"),
    )


def _folder(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/cronjobs"


def _path(namespace: str, name: str) -> str:
    return f"{_folder(namespace)}/{name}"


def _body(namespace: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "namespace": namespace}}
