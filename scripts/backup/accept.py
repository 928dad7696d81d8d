"""``ops backups accept``: a person has seen that a backup has shrunk, and lets it supersede the ones before it."""

from __future__ import annotations

from datetime import UTC, datetime

from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.backup import keys, shrinkage, trial
from scripts.backup.catalog import Verified
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Manifest
from scripts.backup.proof import Acceptance
from scripts.clients.s3 import Bucket
from scripts.exits import UsageError
from scripts.output import Outcome, confirm, say


def run(settings: OpsSettings, backup_id: str, *, by: str, confirmed: bool, dry_run: bool) -> Outcome:
    """Write down beside the backup that ``by`` accepts it, and when. One that is accepted already stays as it is.

    Raises:
        UsageError: there is no such backup, it is not proven, it has not shrunk, or nobody confirmed.
        TemporaryError: the bucket does not answer.
    """
    backup, bucket = BackupId.parse(backup_id), Bucket(settings.backup)
    catalog = trial.holding(trial.catalogs(settings, bucket).values(), backup)
    # Where the manifest is not signed, the proof that names it is.
    found = catalog.record(catalog.read(backup))
    if found is None or not found.proven:
        raise UsageError(f"backup {backup} is not proven, so that it counts in no case; see: ops backups verify")
    if found.proof.shrunk is None:
        raise UsageError(f"backup {backup} has not shrunk and counts already; see: ops backups list")
    shrunk = shrinkage.figures(found.proof.shrunk, found.manifest.unit)
    if found.acceptance is not None or dry_run:
        return _outcome(found, found.acceptance, shrunk, dry_run=dry_run)
    if not confirmed:
        confirm(
            f"lets backup {backup} supersede the ones before it",
            f"Backup {backup} has shrunk: {shrunk}. Let it supersede the ones before it, which then end by their age?",
        )
    acceptance = Acceptance(
        kind=catalog.kind,
        id=found.manifest.id,
        stored=found.manifest.stored,
        accepted_by=by,
        accepted_at=datetime.now(UTC),
    )
    bucket.replace_json(catalog.key(backup, keys.ACCEPTED), acceptance.text())
    log.info("backup accepted", kind=catalog.kind, id=found.manifest.id, by=by)
    return _outcome(found, acceptance, shrunk, dry_run=False)


def _outcome(found: Verified[Manifest], acceptance: Acceptance | None, shrunk: str, *, dry_run: bool) -> Outcome:
    name = f"Backup {found.manifest.id} ({shrunk})"
    data: dict[str, object] = {
        "dry_run": dry_run,
        "kind": found.manifest.folder,
        "id": found.manifest.id,
        "shrunk": None if found.proof.shrunk is None else found.proof.shrunk.model_dump(),
        "accepted_by": None if acceptance is None else acceptance.accepted_by,
        "accepted_at": None if acceptance is None else acceptance.accepted_at.isoformat(timespec="seconds"),
    }
    if acceptance is None:
        return Outcome(data, say(f"{name} would be accepted.", "Nothing was changed."))
    moment = f"{acceptance.accepted_at:%Y-%m-%d %H:%M:%S %Z}"
    return Outcome(data, say(f"{name} counts: accepted by {acceptance.accepted_by} at {moment}."))
