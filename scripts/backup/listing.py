"""``ops backups list``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts.backup import index, shrinkage, trial
from scripts.backup.index import Entry, Facts
from scripts.backup.keys import BackupId
from scripts.clients.s3 import Bucket
from scripts.output import Column, Outcome, Part, Screen


def run(settings: OpsSettings) -> Outcome:
    """Every complete backup, by kind and newest first."""
    bucket = Bucket(settings.backup)
    catalogs = trial.catalogs(settings, bucket).values()
    entries = [entry for catalog in catalogs for entry in index.entries(bucket, catalog, catalog.etags())]
    now = datetime.now(UTC)

    def show(screen: Screen) -> None:
        if entries:
            table(screen, entries, now)
            notes(screen, entries, signs=settings.backup.signers is not None)
        else:
            screen.line(f"There is no backup in s3://{settings.backup.bucket}/{settings.backup.prefix}")

    return Outcome({"bucket": settings.backup.bucket, "backups": [plain(entry, now) for entry in entries]}, show)


def plain(entry: Entry, now: datetime) -> dict[str, object]:
    """A backup as data for machines."""
    facts = entry.facts
    if facts is None:
        return {"kind": entry.kind, "id": str(entry.id), "readable": False, "problem": entry.problem}
    data: dict[str, object] = {
        "kind": entry.kind,
        "id": str(entry.id),
        "readable": True,
        "of": facts.of,
        "snapshot_at": facts.snapshot_at.isoformat(timespec="seconds"),
        "age_seconds": round(_age(facts, now)),
        facts.unit: facts.total,
        "uncompressed_bytes": facts.uncompressed_bytes,
        "stored_bytes": facts.stored_bytes,
        "encrypted": facts.encrypted,
        "signed": facts.signed,
        "seconds": facts.seconds,
        "proven": facts.proven_at is not None,
        "proven_at": _moment(facts.proven_at),
        "shrunk": None if facts.shrunk is None else facts.shrunk.model_dump(),
        "accepted_by": facts.accepted_by,
        "accepted_at": _moment(facts.accepted_at),
    }
    if facts.database is not None:
        data |= {"database": facts.database, "tables": facts.tables, "server_version": facts.server_version}
    return data


def table(screen: Screen, entries: Sequence[Entry], now: datetime) -> None:
    """The list for people, and below it each kind whose newest proven backup has shrunk: a person decides on that."""
    figures = ("AGE", "COUNT", "SIZE", "STORED", "PROVEN")
    screen.table(
        [Column("KIND"), Column("ID", whole=True), *(Column(heading, right=True) for heading in figures)],
        [_row(entry, now) for entry in entries],
    )
    newest: dict[str, tuple[BackupId, Facts]] = {}
    for entry in entries:
        if entry.facts is not None and entry.facts.proven_at is not None:
            newest.setdefault(entry.kind, (entry.id, entry.facts))
    for kind, (backup, facts) in newest.items():
        if facts.shrunk is not None and facts.accepted_at is None:
            screen.line(f"{kind}: {backup} {shrinkage.told(str(backup), facts.shrunk, facts.unit)}")


def notes(screen: Screen, entries: Sequence[Entry], *, signs: bool) -> None:
    """What a person must know of manifests: which cannot be read, and how many are not signed where backups are."""
    for entry in entries:
        if entry.problem is not None:
            screen.line((f"{entry.kind}: {entry.problem}", "red"))
    unsigned = Counter(entry.kind for entry in entries if signs and entry.facts is not None and not entry.facts.signed)
    for kind, count in unsigned.items():
        text = f"{kind}: {count} not signed; an older release made them, or an attacker: a restore needs --unsigned"
        screen.line((text, "yellow"))


def _row(entry: Entry, now: datetime) -> list[Part]:
    facts = entry.facts
    if facts is None:
        return [(text, "red") for text in (entry.kind, str(entry.id), "", "unreadable manifest", "", "", "")]
    return [
        entry.kind,
        str(entry.id),
        duration(_age(facts, now)),
        f"{facts.total:,}",
        size(facts.uncompressed_bytes),
        size(facts.stored_bytes),
        _proven(facts),
    ]


def _proven(facts: Facts) -> Part:
    if facts.proven_at is None:
        return "no"
    if facts.shrunk is None:
        return "yes"
    return ("shrunk", "yellow") if facts.accepted_at is None else "accepted"


def _age(facts: Facts, now: datetime) -> float:
    return (now - facts.aged_from).total_seconds()


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
