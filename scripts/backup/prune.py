"""``ops backups prune``: ends what is older than the retention, and never the last thing that is known to restore.

Age alone decides nothing: when backups fail for a month, deleting by age leaves none. The newest backup of a kind that
counts and everything newer stay, and where none counts, everything stays. One counts that is proven and has not shrunk,
or that a person accepted. The bucket's lifecycle keeps to the same: it ends only what is marked here as superseded by a
newer backup that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.backup import keys, superseding, trial
from scripts.backup.catalog import Catalog
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Manifest
from scripts.backup.superseding import Marks
from scripts.clients.s3 import Bucket, NotFoundError
from scripts.exits import CheckFailedError, UsageError
from scripts.output import Outcome, say

_YOUNG: Final = "younger than the retention"


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a kind: backups by id. ``leftovers`` are old objects that no manifest ever made a backup."""

    kept: Mapping[str, str]
    dropped: tuple[str, ...]
    leftovers: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What was done for a kind; ``refused`` maps what could not be dropped to the reason."""

    kind: str
    kept: Mapping[str, str]
    dropped: list[str] = field(default_factory=list[str])
    leftovers: list[str] = field(default_factory=list[str])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    marks: Marks = field(default_factory=Marks)

    @property
    def kept_beyond_retention(self) -> Mapping[str, str]:
        """What stays although it is old; backups within the retention need no reason."""
        return {backup: why for backup, why in self.kept.items() if why != _YOUNG}


def choose(
    complete: Sequence[BackupId],
    newest: BackupId | None,
    found: Iterable[BackupId],
    now: datetime,
    retention: timedelta,
) -> Choice:
    """Which backups of one kind may go.

    ``newest`` is the newest of the ``complete`` ones that counts, ``found`` every id that has an object in the bucket.
    """
    limit = now - retention
    kept: dict[str, str] = {}
    dropped: list[str] = []
    for backup in complete:
        if reason := _reason(backup, newest, limit):
            kept[str(backup)] = reason
        else:
            dropped.append(str(backup))
    leftovers = sorted(str(backup) for backup in set(found) - set(complete) if backup.time < limit)
    return Choice(kept, tuple(dropped), tuple(leftovers))


def _reason(backup: BackupId, newest: BackupId | None, limit: datetime) -> str | None:
    """Why it stays; None: nothing keeps it."""
    if backup.time >= limit:
        return _YOUNG
    if newest is None:
        return "no backup of its kind counts"
    if backup == newest:
        return "the newest that counts"
    return "newer than the newest that counts" if backup > newest else None


def run(settings: OpsSettings, *, dry_run: bool = False) -> Outcome:
    """Drop old backups of every kind.

    What an object lock holds, or the role may not delete, is reported and no error.

    Raises:
        TemporaryError: the bucket does not answer. What was dropped stays dropped; run it again.
    """
    bucket = Bucket(settings.backup)
    # Not this machine's: a clock that has jumped makes everything old.
    now = bucket.now(settings.backup.prefix)
    reports = [
        _prune(bucket, settings, catalog, now, dry_run=dry_run) for catalog in trial.catalogs(settings, bucket).values()
    ]
    return _outcome(settings, reports, dry_run=dry_run)


def _prune(
    bucket: Bucket, settings: OpsSettings, catalog: Catalog[Manifest], now: datetime, *, dry_run: bool
) -> Report:
    # One list for all: a backup that becomes complete after it is young.
    present = catalog.etags()
    complete = catalog.ids(present)
    newest = catalog.newest_that_counts(present)
    superseding_id = None if newest is None else newest.manifest.backup
    prefix = settings.backup.prefix
    by_backup: dict[BackupId, list[str]] = {}
    for name in sorted(present):
        if (backup := keys.of_backup(name, prefix, catalog.kind)) is not None:
            by_backup.setdefault(backup, []).append(name)
    retention = timedelta(days=settings.backup.retention_days)
    choice = choose(complete, superseding_id, by_backup, now, retention)
    report = Report(catalog.kind, choice.kept)
    report.marks = superseding.mark(bucket, complete, superseding_id, by_backup, dry_run=dry_run)
    for ids, done in ((choice.dropped, report.dropped), (choice.leftovers, report.leftovers)):
        for text in ids:
            objects = by_backup.get(BackupId.parse(text), [])
            if problem := _refusal(bucket, objects) or (None if dry_run else drop(bucket, objects)):
                report.refused[text] = problem
                continue
            done.append(text)
            if not dry_run:
                log.info("backup dropped", kind=catalog.kind, id=text)
    return report


def _refusal(bucket: Bucket, objects: Sequence[str]) -> str | None:
    """Why a backup may not go although it is old. All of it is asked first: half a backup is none."""
    for name in objects:
        try:
            if lock := bucket.locked_until(name):
                return lock
        except NotFoundError:
            continue
    return None


def drop(bucket: Bucket, objects: Sequence[str]) -> str | None:
    """Delete a backup's objects; why not, where the bucket refuses.

    The manifest goes first: a run that is killed after it leaves no backup that lacks its data.
    """
    try:
        for name in sorted(objects, key=lambda name: (not name.endswith(f"/{keys.MANIFEST}"), name)):
            bucket.delete(name)
    except (UsageError, CheckFailedError) as error:
        return str(error)
    return None


def _outcome(settings: OpsSettings, reports: Sequence[Report], *, dry_run: bool) -> Outcome:
    data: dict[str, object] = {
        "bucket": settings.backup.bucket,
        "retention_days": settings.backup.retention_days,
        "dry_run": dry_run,
        "kinds": [_plain(report) for report in reports],
    }

    return Outcome(data, say(*(line for report in reports for line in _lines(report, dry_run=dry_run))))


def _plain(report: Report) -> dict[str, object]:
    return {
        "kind": report.kind,
        "dropped": report.dropped,
        "leftovers": report.leftovers,
        "refused": report.refused,
        "superseded": report.marks.superseded,
        "freed": report.marks.freed,
        "not_marked": report.marks.refused,
        "kept": len(report.kept),
        "kept_beyond_retention": report.kept_beyond_retention,
    }


def _lines(report: Report, *, dry_run: bool) -> list[str]:
    word = "would drop" if dry_run else "dropped"
    return [
        f"{report.kind}: {word} {len(report.dropped)}, kept {len(report.kept)}, refused {len(report.refused)}",
        *(f"  {word} {backup}" for backup in report.dropped),
        *(f"  {word} {backup}, which never was complete" for backup in report.leftovers),
        *(f"  kept {backup}: {why}" for backup, why in report.kept_beyond_retention.items()),
        *(f"  could not drop {backup}: {why}" for backup, why in report.refused.items()),
        *(f"  could not mark {backup}: {why}" for backup, why in report.marks.refused.items()),
    ]
