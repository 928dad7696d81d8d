"""The newest backup of each kind, and the newest that is proven: only that one is known to come back (section 5).

A proven one that has shrunk is told on its own: it comes back, and what the one before it had is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from runbook import practices
from runbook.ops_settings import OpsSettings
from runbook.thresholds import Threshold
from runbook.units import duration
from scripts.backup import index, shrinkage
from scripts.backup.catalog import Catalog, Verified
from scripts.backup.index import Entry
from scripts.backup.manifest import MODELS, Manifest, age_seconds
from scripts.clients.s3 import Bucket
from scripts.health.model import Check, Finding, Status

# Kinds of backups and what their findings are called; PostgreSQL's is *the* backup.
_NAMES = {"postgres": "backup", "redis": "backup redis", "resources": "backup resources"}


def checks(settings: OpsSettings) -> list[Check]:
    """One check for each kind, with the findings of its newest backup and of its newest proven one."""
    return [Check(name, partial(_look, settings, kind, name)) for kind, name in _NAMES.items()]


def _look(settings: OpsSettings, kind: str, name: str, timeout: float) -> Sequence[Finding]:
    model = next(each for each in MODELS if each.folder == kind)
    bucket = Bucket(settings.backup, seconds=timeout)
    catalog = Catalog(bucket, settings, model)
    present = catalog.etags()
    found = catalog.ids(present)
    if not found:
        limit = f"<= {duration(practices.BACKUP_AGE.value)}"
        return [Finding(name, Status.WARN, "no backup yet", limit, f"s3://{settings.backup.bucket}")]
    now = datetime.now(UTC)
    # The manifest is read, not only its name: an unreadable one restores nothing.
    newest = catalog.read(found[0])
    return [
        judge(name, age_seconds(newest, now), practices.BACKUP_AGE, newest.id),
        *_proven(name, catalog.newest_proven(present), (now - found[-1].time).total_seconds(), now),
        *([signed(f"{name} signed", index.entries(bucket, catalog, present))] if catalog.trusted else []),
    ]


def judge(name: str, age: float, limit: Threshold, detail: str) -> Finding:
    """The verdict on an age in seconds."""
    status = Status.OK if age <= limit.value else Status.FAIL
    return Finding(name, status, duration(age), f"<= {duration(limit.value)}", detail)


def unproven(name: str, oldest: float) -> Finding:
    """The verdict where nothing is proven and the oldest backup is of this age (seconds): the first proof has time."""
    limit = practices.PROOF_AGE.value
    status = Status.WARN if oldest <= limit else Status.FAIL
    return Finding(name, status, "none is proven", f"<= {duration(limit)}", "see: ops backups verify")


def signed(name: str, entries: Sequence[Entry]) -> Finding:
    """The verdict on the manifests of a kind, newest first, where backups are signed.

    Those that were made before there were keys end by their age; the newest has no such excuse.
    """
    unsigned = [entry for entry in entries if entry.facts is None or not entry.facts.signed]
    newest = any(entry is entries[0] for entry in unsigned)
    status = Status.FAIL if newest else Status.WARN if unsigned else Status.OK
    detail = f"not signed: {unsigned[0].id}" if unsigned else ""
    return Finding(name, status, f"{len(entries) - len(unsigned)} of {len(entries)}", "all", detail)


def _proven(name: str, found: Verified[Manifest] | None, oldest: float, now: datetime) -> Sequence[Finding]:
    if found is None:
        return [unproven(f"{name} proven", oldest)]
    manifest = found.manifest
    age = judge(f"{name} proven", age_seconds(manifest, now), practices.PROOF_AGE, manifest.id)
    return [age, content(f"{name} content", found)]


def content(name: str, found: Verified[Manifest]) -> Finding:
    """The verdict on how much a proven backup has: what the one before it had, or what a person accepts."""
    manifest, shrunk = found.manifest, found.shrunk
    amount = f"{manifest.total:,} {manifest.unit}"
    if shrunk is None:
        accepted = found.acceptance
        return Finding(name, Status.OK, amount, detail=f"accepted by {accepted.accepted_by}" if accepted else "")
    told = shrinkage.told(manifest.id, shrunk, manifest.unit)
    return Finding(name, Status.FAIL, amount, detail=f"backup {manifest.id} {told}")
