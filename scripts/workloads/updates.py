"""``ops updates``: the agenda of the monthly maintenance (section 8.1): what runs, since when, and what is not well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from runbook import cron, practices
from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts import notify
from scripts.clients import kubernetes
from scripts.output import Outcome, say

_SECONDS: Final = 30.0
# A run may begin late and takes its time.
_GRACE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that runs: as the pods name it, what it really is, in how many containers, and since when at least."""

    name: str
    digest: str
    containers: int
    since: str

    @property
    def age(self) -> str:
        return f"since {self.since}" if self.since else "not started yet"


@dataclass(frozen=True, slots=True)
class Agenda:
    """What the maintenance has to look at; every line names the object."""

    images: list[Image] = field(default_factory=list[Image])
    unpinned: list[str] = field(default_factory=list[str])
    restarting: list[str] = field(default_factory=list[str])
    overdue: list[str] = field(default_factory=list[str])


def run(settings: OpsSettings, *, silent: bool) -> Outcome:
    """Collect the agenda and send it. Nothing is changed, and nothing on it makes the command fail."""
    below = f"namespaces/{settings.namespace}"
    with kubernetes.connect(_SECONDS) as cluster:
        pods = list(cluster.items(f"/api/v1/{below}/pods"))
        workloads = [
            (kind, item)
            for kind, plural in (("Deployment", "deployments"), ("StatefulSet", "statefulsets"))
            for item in cluster.items(f"/apis/apps/v1/{below}/{plural}")
        ]
        jobs = list(cluster.items(f"/apis/batch/v1/{below}/cronjobs"))
    found = Agenda(
        images(pods),
        [*unpinned(workloads), *unpinned(("CronJob", _pod_holder(job)) for job in jobs)],
        restarting(pods),
        overdue(jobs, datetime.now(UTC)),
    )
    lines = report(settings.namespace, found)
    points = len(found.unpinned) + len(found.restarting) + len(found.overdue)
    subject = f"Monthly maintenance of {settings.namespace}: {points} to look at, {len(found.images)} images"
    told = [] if silent else notify.send(settings, notify.Message(subject, "\n".join(lines)))

    return Outcome({**asdict(found), "points": points, "notified": notify.plain(told)}, say(*lines))


def images(pods: Iterable[Any]) -> list[Image]:
    """The images of all containers, the longest running first."""
    starts: dict[tuple[str, str], list[str]] = {}
    for pod in pods:
        status: Any = pod.get("status") or {}
        started = str(status.get("startTime") or "")
        for container in _statuses(pod):
            # The runtime adds where it has it from; the digest is what counts.
            digest = str(container.get("imageID") or "").rpartition("@")[2]
            starts.setdefault((str(container["image"]), digest), []).append(started)
    found = [Image(name, digest, len(times), min(times)) for (name, digest), times in starts.items()]
    return sorted(found, key=lambda image: (image.since or "9", image.name))


def unpinned(workloads: Iterable[tuple[str, Any]]) -> list[str]:
    """Workloads whose image is named by a tag: what runs is then whatever the tag pointed to at each node's pull."""
    return [
        f"{kind} {item['metadata']['name']}: {container['image']}"
        for kind, item in workloads
        for container in _containers(item)
        if "@sha256:" not in container["image"]
    ]


def restarting(pods: Iterable[Any]) -> list[str]:
    """Containers that restart more than is normal, the worst first."""
    counted = sorted(
        (
            (
                int(container.get("restartCount", 0)),
                f"{pod['metadata']['name']}/{container['name']}",
                _ending(container),
            )
            for pod in pods
            for container in _statuses(pod)
        ),
        reverse=True,
    )
    return [
        f"{name}: {count} restarts{ending}" for count, name, ending in counted if count >= practices.POD_RESTARTS.count
    ]


def overdue(jobs: Iterable[Any], now: datetime) -> list[str]:
    """CronJobs without a success in their period; one that never had any counts from when it was made."""
    return [f"CronJob {job['metadata']['name']}: {reason}" for job in jobs if (reason := _lateness(job, now))]


def report(namespace: str, agenda: Agenda) -> list[str]:
    """The agenda for people: what is to be looked at first, then what runs."""
    parts = (
        ("CronJobs without a success in their period", agenda.overdue),
        (f"containers with {practices.POD_RESTARTS.count} restarts or more", agenda.restarting),
        ("images that are not pinned by digest", agenda.unpinned),
    )
    lines = [line for title, found in parts for line in (f"{title}:", *(f"  {one}" for one in found or ["none"]), "")]
    running = [
        f"  {image.name} x {image.containers}, {image.age}"
        + (f", {image.digest}" if image.digest not in image.name else "")
        for image in agenda.images
    ]
    return [*lines, f"images that run in {namespace}, the oldest first:", *(running or ["  none"])]


def _lateness(job: Any, now: datetime) -> str | None:
    if job["spec"].get("suspend"):
        return "is suspended"
    schedule = str(job["spec"]["schedule"])
    try:
        period = cron.period(schedule)
    except ValueError as error:
        return f"its schedule cannot be read: {error}"
    if period is None:
        return f"never starts: no date fits its schedule ({schedule})"
    status: Any = job.get("status") or {}
    success = status.get("lastSuccessfulTime")
    age = now - datetime.fromisoformat(str(success or job["metadata"]["creationTimestamp"]))
    if age <= period + _GRACE:
        return None
    told = f"the last success is {duration(age.total_seconds())} old" if success else "never succeeded"
    return f"{told}, and it runs every {duration(period.total_seconds())} at the least ({schedule})"


def _statuses(pod: Any) -> Iterator[Any]:
    status: Any = pod.get("status") or {}
    for key in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(key) or ()


def _containers(item: Any) -> Iterator[Any]:
    spec: Any = item["spec"]["template"]["spec"]
    for key in ("initContainers", "containers"):
        yield from spec.get(key) or ()


def _pod_holder(job: Any) -> Any:
    return {"metadata": job["metadata"], "spec": job["spec"]["jobTemplate"]["spec"]}


def _ending(container: Any) -> str:
    last: Any = container.get("lastState") or {}
    ended: Any = last.get("terminated") or {}
    return f", the last one {ended['reason']} with code {ended.get('exitCode')}" if ended.get("reason") else ""
