"""Who works on the system, and until when: a Lease that the stack has made.

It excludes other people, never machines: what it says is true until its time is over, whatever became of the process
that wrote it. A change names the version that was read, so that of two people at once one is told of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from runbook import maintenance as names
from scripts import redact
from scripts.clients.kubernetes import Cluster, ConflictError, NotFoundError
from scripts.exits import TemporaryError, UsageError

_REASON: Final = "crypto.analytics/maintenance-reason"


@dataclass(frozen=True, slots=True)
class Lock:
    """The Lease as it was read; ``declared`` says that the stack itself asks for maintenance."""

    version: str
    declared: bool
    holder: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""

    def expired(self, now: datetime) -> bool:
        """Whether its time is over; what nobody holds does not expire."""
        return self.until is not None and self.until <= now

    def excludes(self, by: str, now: datetime) -> bool:
        """Whether somebody else than ``by`` holds it."""
        return self.holder is not None and self.holder != by and not self.expired(now)


def read(cluster: Cluster, namespace: str) -> Lock:
    """The lock.

    Raises:
        UsageError: the stack has not made it.
    """
    found = find(cluster, namespace)
    if found is None:
        raise UsageError(
            f"there is no Lease {names.LEASE} in the namespace {namespace}: the stack makes it, run `pulumi up`"
        )
    return found


def find(cluster: Cluster, namespace: str) -> Lock | None:
    """The lock, or None where there is no Lease."""
    try:
        return _parse(cluster.get(_path(namespace)))
    except NotFoundError:
        return None


def take(
    cluster: Cluster, namespace: str, lock: Lock, by: str, seconds: int, reason: str, *, dry_run: bool = False
) -> Lock:
    """Hold the lock for ``seconds`` from now; ``by`` who has it already renews it and keeps its begin.

    Raises:
        TemporaryError: somebody else was faster.
    """
    now = datetime.now(UTC)
    same = lock.holder == by and not lock.expired(now)
    since = lock.since if same and lock.since else now
    spec = {
        "holderIdentity": by,
        "leaseDurationSeconds": seconds,
        "acquireTime": _text(since),
        "renewTime": _text(now),
    }
    return _write(cluster, namespace, lock, spec, reason or (lock.reason if same else ""), dry_run=dry_run)


def release(cluster: Cluster, namespace: str, lock: Lock, *, dry_run: bool = False) -> Lock:
    """Nobody holds it any more.

    Raises:
        TemporaryError: somebody else has changed it meanwhile.
    """
    spec: dict[str, Any] = dict.fromkeys(("holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime"))
    return _write(cluster, namespace, lock, spec, "", dry_run=dry_run)


def _write(cluster: Cluster, namespace: str, lock: Lock, spec: dict[str, Any], reason: str, *, dry_run: bool) -> Lock:
    metadata = {"resourceVersion": lock.version, "annotations": {_REASON: redact.clean(reason) or None}}
    try:
        return _parse(cluster.patch(_path(namespace), {"metadata": metadata, "spec": spec}, dry_run=dry_run))
    except ConflictError:
        raise TemporaryError("somebody else has just changed the maintenance lock; look at it and run again") from None


def _path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{names.LEASE}"


def _parse(lease: Any) -> Lock:
    metadata: Any = lease["metadata"]
    spec: Any = lease.get("spec") or {}
    notes: Any = metadata.get("annotations") or {}
    renewed, seconds = spec.get("renewTime"), spec.get("leaseDurationSeconds")
    return Lock(
        version=metadata["resourceVersion"],
        declared=notes.get(names.DECLARED) == "true",
        holder=spec.get("holderIdentity") or None,
        since=_moment(spec.get("acquireTime")),
        until=_end(_moment(renewed), int(seconds)) if renewed and seconds else None,
        reason=str(notes.get(_REASON) or ""),
    )


def _end(begin: datetime, seconds: int) -> datetime | None:
    """When a lock ends; None where no calendar reaches."""
    try:
        return begin + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _moment(text: str | None) -> Any:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
