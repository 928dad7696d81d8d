"""Who may do what in the backup bucket: a role for each kind and direction, so that a stolen job forges little.

Patterns are of keys below the stack's prefix, and ``*`` is any text, as in IAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook import exporters, jobs
from runbook.bucket import ACCEPTED, ACCESS, BACKUP_KINDS, DATA, DRILLS, HEALTH, INCIDENTS, INDEX, LOGS, MANIFEST, PROOF
from runbook.jobs import Job


@dataclass(frozen=True, slots=True)
class BucketRole:
    """A role and the service accounts that may become it. ``lists`` are prefixes, the others patterns of keys.

    It uploads (in parts) and writes keys, and ends them: marks them as superseded and deletes them.
    """

    name: str
    accounts: tuple[str, ...]
    lists: tuple[str, ...]
    reads: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


def _of_all(*names: str) -> tuple[str, ...]:
    """These objects of every backup."""
    return tuple(f"{kind}/*/{name}" for kind in BACKUP_KINDS for name in names)


_KINDS: Final = tuple(f"{kind}/" for kind in BACKUP_KINDS)
_WHOLE: Final = tuple(f"{kind}*" for kind in _KINDS)
_INDEXES: Final = tuple(f"{kind}{INDEX}" for kind in _KINDS)
# All that is said of backups, and nothing that is in them.
_FACTS: Final = (*_of_all(MANIFEST, PROOF, ACCEPTED), *_INDEXES)


def _backup(kind: str, job: Job) -> BucketRole:
    manifest = f"{kind}/*/{MANIFEST}"
    # It reads the manifest where it does not know whether its own was written.
    return BucketRole(
        kind, (job.name,), (f"{kind}/",), reads=(manifest,), uploads=(f"{kind}/*/{DATA[kind]}*",), writes=(manifest,)
    )


def _documents(
    name: str, folder: str, *users: Job, reads: tuple[str, ...] = (), lists: tuple[str, ...] = ()
) -> BucketRole:
    own = f"{folder}*"
    return BucketRole(name, tuple(job.name for job in users), (folder, *lists), reads=(own, *reads), writes=(own,))


ALL: Final = (
    _backup("postgres", jobs.BACKUP_POSTGRES),
    _backup("redis", jobs.BACKUP_REDIS),
    _backup("resources", jobs.BACKUP_RESOURCES),
    BucketRole("verify", (jobs.BACKUP_VERIFY.name,), _KINDS, reads=_WHOLE, writes=(*_of_all(PROOF), *_INDEXES)),
    # Whether an object is locked is asked of the object itself.
    BucketRole("prune", (jobs.BACKUP_PRUNE.name,), ("",), reads=_WHOLE, ends=_WHOLE),
    BucketRole("drill", (jobs.RESTORE_DRILL.name,), _KINDS, reads=_WHOLE, writes=(f"{DRILLS}*",)),
    BucketRole("state", (exporters.BACKUP_EXPORTER.name,), _KINDS, reads=_FACTS),
    _documents("health", HEALTH, jobs.HEALTH_CHECK, reads=_FACTS, lists=_KINDS),
    _documents("logs", LOGS, jobs.LOG_REVIEW),
    _documents("incidents", INCIDENTS, jobs.INCIDENT_REMINDER, jobs.INCIDENT_REVIEW),
    _documents("access", ACCESS, jobs.ACCESS_REVIEW),
)


def of(account: str) -> BucketRole | None:
    """The role of a service account; None where it does not use the bucket."""
    return next((role for role in ALL if account in role.accounts), None)
