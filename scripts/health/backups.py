"""The newest backup of each kind, and the newest that is proven: only that one is known to come back (section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from runbook import practices
from runbook.ops_settings import OpsSettings
from runbook.thresholds import Threshold
from runbook.units import duration
from scripts.backup import keys
from scripts.backup.catalog import Catalog
from scripts.backup.keys import BackupId
from scripts.backup.manifest import MODELS, Manifest, age_seconds
from scripts.clients.s3 import Bucket
from scripts.health.model import Check, Finding, Status

# Kinds of backups and what their findings are called; PostgreSQL's is *the* backup.
_NAMES = {"postgres": "backup", "redis": "backup redis", "resources": "backup resources"}


def checks(settings: OpsSettings) -> list[Check]:
    """One check for each kind, with two findings."""
    return [Check(name, partial(_look, settings, kind, name)) for kind, name in _NAMES.items()]


def _look(settings: OpsSettings, kind: str, name: str, timeout: float) -> Sequence[Finding]:
    model = next(each for each in MODELS if each.folder == kind)
    catalog = Catalog(Bucket(settings.backup, seconds=timeout), settings, model)
    names = catalog.all_keys()
    found = keys.ids(names, settings.backup.prefix, kind)
    if not found:
        limit = f"<= {duration(practices.BACKUP_AGE.value)}"
        return [Finding(name, Status.WARN, "no backup yet", limit, f"s3://{settings.backup.bucket}")]
    now = datetime.now(UTC)
    # The manifest is read, not only its name: an unreadable one restores nothing.
    newest = catalog.manifest(found[0])
    with_proof = [backup for backup in found if catalog.key(backup, keys.PROOF) in set(names)]
    return [
        judge(name, age_seconds(newest, now), practices.BACKUP_AGE, newest.id),
        _proven(f"{name} proven", catalog, with_proof, (now - found[-1].time).total_seconds(), now),
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


def _proven(
    name: str, catalog: Catalog[Manifest], backups: Sequence[BackupId], oldest: float, now: datetime
) -> Finding:
    for backup in backups:
        manifest = catalog.manifest(backup)
        if catalog.proof(manifest) is not None:
            return judge(name, age_seconds(manifest, now), practices.PROOF_AGE, manifest.id)
    return unproven(name, oldest)
