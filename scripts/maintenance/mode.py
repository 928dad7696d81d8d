"""``ops maintenance``: the lock, the page and the jobs, in an order in which a run that is killed loses nothing.

On: the lock, the page, the jobs. Off: the page, the jobs, and the lock last. Each step looks first and does nothing
where it is done already, so that the same command goes on where an earlier run was ended.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from runbook import maintenance as names
from runbook import services
from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, NotFoundError
from scripts.exits import CheckFailedError, OpsError, Stop, TemporaryError
from scripts.maintenance import lock, page, suspension
from scripts.maintenance.lock import Lock
from scripts.maintenance.page import Door
from scripts.maintenance.suspension import Job
from scripts.workloads import deployments

_SECONDS: Final = 30.0


class Mode(StrEnum):
    """What the system is in; ``PARTLY`` is what a run leaves that was killed."""

    ON = "on"
    OFF = "off"
    PARTLY = "partly"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: ``by`` whom, for how many ``seconds``; ``take_over`` ignores the lock of somebody else."""

    by: str
    seconds: int = 0
    reason: str = ""
    take_over: bool = False
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that maintenance is made of, as it was read."""

    lock: Lock
    door: Door
    jobs: list[Job]
    running: list[str]

    @property
    def claimed(self) -> bool:
        """Whether ``ops`` has any part of it."""
        return self.lock.holder is not None or self.door.before is not None or any(job.claimed for job in self.jobs)

    @property
    def mode(self) -> Mode:
        held = self.lock.holder is not None
        if not self.claimed and (self.lock.declared or not self.door.shows_page):
            return Mode.ON if self.lock.declared else Mode.OFF
        whole = held and self.door.shows_page and all(job.claimed and job.suspended for job in self.jobs)
        return Mode.ON if whole else Mode.PARTLY


@dataclass(frozen=True, slots=True)
class Done:
    """What a run changed, and the situation after it, or why that cannot be read.

    ``problems`` says of a job why it was not changed, ``missed`` of a job the last run that it did not have, and
    ``unknown`` of a job why that cannot be told.
    """

    after: Situation | OpsError
    changed: list[str]
    problems: dict[str, OpsError] = field(default_factory=dict[str, OpsError])
    missed: dict[str, datetime] = field(default_factory=dict[str, datetime])
    unknown: dict[str, str] = field(default_factory=dict[str, str])


def look(settings: OpsSettings) -> Situation:
    """The situation now. Raises ``OpsError``."""
    with kubernetes.connect(_SECONDS) as cluster:
        return _read(cluster, settings.namespace)


def begin(settings: OpsSettings, request: Request) -> Done:
    """Hold the lock, show the page and suspend the jobs.

    Raises:
        CheckFailedError: no pod of the page is ready; nothing was changed.
        TemporaryError: somebody else holds the lock.
    """
    with kubernetes.connect(_SECONDS) as cluster:
        before = _read(cluster, settings.namespace)
        _admit(before.lock, request)
        _require(cluster, settings.namespace, names.PAGE, "users would see an error in place of the page", request)
        with _resumable("on"):
            return _on(cluster, settings.namespace, before, request)


def end(settings: OpsSettings, request: Request) -> Done:
    """Lead users back, resume the jobs, and give the lock up.

    Raises:
        CheckFailedError: no pod of the gateway is ready; nothing was changed.
        TemporaryError: somebody else holds the lock.
    """
    with kubernetes.connect(_SECONDS) as cluster:
        held, door = _held(cluster, settings.namespace), page.read(cluster, settings.namespace)
        _admit(held, request)
        if door.shows_page and not held.declared:
            _require(cluster, settings.namespace, services.API_GATEWAY.name, "users would see errors", request)
        with _resumable("off"):
            return _off(cluster, settings.namespace, held, door, request)


def _on(cluster: Cluster, namespace: str, before: Situation, request: Request) -> Done:
    dry = request.dry_run
    taken = lock.take(cluster, namespace, before.lock, request.by, request.seconds, request.reason, dry_run=dry)
    changed = [] if before.lock.holder == request.by else ["lock"]
    if page.show(cluster, namespace, before.door, dry_run=dry):
        log.info("the page is shown", dry_run=dry)
        changed.append("page")
    waiting, problems = _each(before.jobs, lambda job: suspension.suspend(cluster, namespace, job, dry_run=dry))
    log.info("jobs are suspended", jobs=len(before.jobs), dry_run=dry)
    return Done(_after(cluster, namespace, taken), [*changed, *waiting], problems)


def _off(cluster: Cluster, namespace: str, held: Lock, door: Door, request: Request) -> Done:
    """Users first, then the jobs and the lock; only then what is to be told of it."""
    dry = request.dry_run
    changed: list[str] = []
    if page.hide(cluster, namespace, door, declared=held.declared, dry_run=dry):
        log.info("users are led back", dry_run=dry)
        changed.append("page")
    jobs = suspension.read(cluster, namespace)
    resumed, problems = _each(jobs, lambda job: suspension.resume(cluster, namespace, job, dry_run=dry))
    log.info("jobs are resumed", jobs=len(resumed), dry_run=dry)
    changed += resumed
    released = held
    if held.holder is not None:
        released = lock.release(cluster, namespace, held, dry_run=dry)
        changed.append("lock")
    after = _after(cluster, namespace, released)
    missed, unknown = _missed(jobs, held, after, dry_run=dry)
    return Done(after, changed, problems, missed, unknown)


def _each(jobs: Sequence[Job], change: Callable[[Job], bool]) -> tuple[list[str], dict[str, OpsError]]:
    """The jobs that were changed, and why others were not: no job keeps another from it."""
    changed: list[str] = []
    problems: dict[str, OpsError] = {}
    for job in jobs:
        try:
            if change(job):
                changed.append(job.name)
        except NotFoundError:
            log.info("a job was deleted meanwhile", job=job.name)
        except OpsError as error:
            problems[job.name] = error
    return changed, problems


def _after(cluster: Cluster, namespace: str, held: Lock) -> Situation | OpsError:
    """The situation with the lock as the last change left it."""
    try:
        return replace(_read(cluster, namespace), lock=held)
    except OpsError as error:
        log.warning("the situation cannot be read", reason=str(error))
        return error


def _missed(
    jobs: Sequence[Job], held: Lock, after: Situation | OpsError, *, dry_run: bool
) -> tuple[dict[str, datetime], dict[str, str]]:
    """The last run that each job did not have, and of which jobs that cannot be told."""
    missed: dict[str, datetime] = {}
    unknown: dict[str, str] = {}
    if held.since is None:
        return missed, unknown
    # What others have suspended missed nothing for this maintenance's sake.
    left = after.jobs if isinstance(after, Situation) and not dry_run else []
    waiting = {job.name for job in left if job.suspended}
    for job in jobs:
        if not job.claimed or job.name in waiting:
            continue
        try:
            moment = suspension.missed(job, held.since, datetime.now(UTC))
        except OpsError as error:
            unknown[job.name] = str(error)
        else:
            missed |= {} if moment is None else {job.name: moment}
    return missed, unknown


def _read(cluster: Cluster, namespace: str) -> Situation:
    held, door = lock.read(cluster, namespace), page.read(cluster, namespace)
    jobs = suspension.read(cluster, namespace)
    try:
        running = suspension.running(cluster, namespace)
    except OpsError as error:
        log.warning("the running jobs cannot be read", reason=str(error))
        running = []
    return Situation(held, door, jobs, running)


def _held(cluster: Cluster, namespace: str) -> Lock:
    """The lock; a Lease that is gone keeps users off the page no longer than one that is there."""
    found = lock.find(cluster, namespace)
    if found is None:
        log.warning("the Lease is gone, and the lock with it; `pulumi up` makes it anew", lease=names.LEASE)
    return found or Lock("", declared=False)


def _admit(held: Lock, request: Request) -> None:
    if held.excludes(request.by, datetime.now(UTC)) and not request.take_over:
        reason = f" ({held.reason})" if held.reason else ""
        until = "without an end" if held.until is None else f"until {held.until:%Y-%m-%d %H:%M} UTC"
        raise TemporaryError(
            f"{held.holder} holds the maintenance lock {until}{reason}; nothing was changed; ask, or give --take-over"
        )


def _require(cluster: Cluster, namespace: str, name: str, otherwise: str, request: Request) -> None:
    if request.force:
        return
    status: Any = deployments.read(cluster, namespace, name).get("status") or {}
    if not int(status.get("availableReplicas") or 0):
        raise CheckFailedError(
            f"no pod of {name} is ready, {otherwise}; nothing was changed (see: kubectl -n {namespace} get pods"
            f" -l app={name}); --force does it all the same"
        )


@contextmanager
def _resumable(word: str) -> Generator[None]:
    try:
        yield
    except Stop as stop:
        reason = str(stop).partition(";")[0]
        raise Stop(f"{reason}; maintenance is {word} in part: run the same again, it goes on") from None
