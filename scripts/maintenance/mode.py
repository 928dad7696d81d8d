"""``ops maintenance``: the lock, the page and the jobs, in an order in which a run that is killed loses nothing.

On: the lock, the page, the jobs. Off: the page, the jobs, and the lock last. Each step looks first and does nothing
where it is done already, so that the same command goes on where an earlier run was ended.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from runbook import maintenance as names
from runbook import services
from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from scripts.exits import CheckFailedError, Stop, TemporaryError
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
    """What a run changed, and the situation after it; ``missed`` is the last run that each job did not have."""

    after: Situation
    changed: list[str]
    missed: dict[str, datetime]


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
        before = _read(cluster, settings.namespace)
        _admit(before.lock, request)
        if before.door.shows_page and not before.lock.declared:
            _require(cluster, settings.namespace, services.API_GATEWAY.name, "users would see errors", request)
        with _resumable("off"):
            return _off(cluster, settings.namespace, before, request)


def _on(cluster: Cluster, namespace: str, before: Situation, request: Request) -> Done:
    dry = request.dry_run
    taken = lock.take(cluster, namespace, before.lock, request.by, request.seconds, request.reason, dry_run=dry)
    changed = [] if before.lock.holder == request.by else ["lock"]
    if page.show(cluster, namespace, before.door, dry_run=dry):
        log.info("the page is shown", dry_run=dry)
        changed.append("page")
    changed += [job.name for job in before.jobs if suspension.suspend(cluster, namespace, job, dry_run=dry)]
    log.info("jobs are suspended", jobs=len(before.jobs), dry_run=dry)
    return _done(cluster, namespace, before, taken, changed, dry_run=dry)


def _off(cluster: Cluster, namespace: str, before: Situation, request: Request) -> Done:
    dry, now = request.dry_run, datetime.now(UTC)
    changed: list[str] = []
    claimed = [job for job in before.jobs if job.claimed]
    missed = suspension.missed(claimed, before.lock.since, now) if before.lock.since else {}
    if page.hide(cluster, namespace, before.door, declared=before.lock.declared, dry_run=dry):
        log.info("users are led back", dry_run=dry)
        changed.append("page")
    changed += [job.name for job in before.jobs if suspension.resume(cluster, namespace, job, dry_run=dry)]
    log.info("jobs are resumed", jobs=len(claimed), dry_run=dry)
    released = before.lock
    if before.lock.holder is not None:
        released = lock.release(cluster, namespace, before.lock, dry_run=dry)
        changed.append("lock")
    return _done(cluster, namespace, before, released, changed, missed=missed, dry_run=dry)


def _done(
    cluster: Cluster,
    namespace: str,
    before: Situation,
    held: Lock,
    changed: list[str],
    *,
    missed: dict[str, datetime] | None = None,
    dry_run: bool,
) -> Done:
    after = before if dry_run else _read(cluster, namespace)
    # What somebody else suspended missed nothing for this maintenance's sake.
    waiting = set[str]() if dry_run else {job.name for job in after.jobs if job.suspended}
    told = {name: moment for name, moment in (missed or {}).items() if name not in waiting}
    return Done(Situation(held, after.door, after.jobs, after.running), changed, told)


def _read(cluster: Cluster, namespace: str) -> Situation:
    return Situation(
        lock.read(cluster, namespace),
        page.read(cluster, namespace),
        suspension.read(cluster, namespace),
        suspension.running(cluster, namespace),
    )


def _admit(held: Lock, request: Request) -> None:
    if held.excludes(request.by, datetime.now(UTC)) and not request.take_over:
        reason = f" ({held.reason})" if held.reason else ""
        raise TemporaryError(
            f"{held.holder} holds the maintenance lock until {held.until:%Y-%m-%d %H:%M} UTC{reason}; nothing was"
            " changed; ask, or give --take-over"
        )


def _require(cluster: Cluster, namespace: str, name: str, otherwise: str, request: Request) -> None:
    status: Any = deployments.read(cluster, namespace, name).get("status") or {}
    if not int(status.get("availableReplicas") or 0) and not request.force:
        raise CheckFailedError(
            f"no pod of {name} is ready, {otherwise}; nothing was changed (see: kubectl get pods -l app={name});"
            " --force does it all the same"
        )


@contextmanager
def _resumable(word: str) -> Generator[None]:
    try:
        yield
    except Stop as stop:
        reason = str(stop).partition(";")[0]
        raise Stop(f"{reason}; maintenance is {word} in part: run the same again, it goes on") from None
