"""``ops backups list``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts.backup import trial
from scripts.backup.catalog import Entry
from scripts.backup.manifest import PostgresManifest, age_seconds
from scripts.clients.s3 import Bucket
from scripts.output import Column, Outcome, Part, Screen


def run(settings: OpsSettings) -> Outcome:
    """Every complete backup, by kind and newest first."""
    bucket = Bucket(settings.backup)
    entries = [entry for catalog in trial.catalogs(settings, bucket).values() for entry in catalog.entries()]
    now = datetime.now(UTC)

    def show(screen: Screen) -> None:
        if entries:
            table(screen, entries, now)
        else:
            screen.line(f"There is no backup in s3://{settings.backup.bucket}/{settings.backup.prefix}")

    return Outcome({"bucket": settings.backup.bucket, "backups": [plain(entry, now) for entry in entries]}, show)


def plain(entry: Entry, now: datetime) -> dict[str, object]:
    """A backup as data for machines."""
    found = entry.manifest
    if found is None:
        return {"kind": entry.kind, "id": str(entry.id), "readable": False, "problem": entry.problem}
    data: dict[str, object] = {
        "kind": entry.kind,
        "id": str(entry.id),
        "readable": True,
        "of": found.subject,
        "snapshot_at": found.snapshot_at.isoformat(timespec="seconds"),
        "age_seconds": round(age_seconds(found, now)),
        found.unit: found.total,
        "uncompressed_bytes": found.uncompressed.bytes,
        "stored_bytes": found.stored.bytes,
        "encrypted": found.encryption is not None,
        "seconds": found.duration_seconds,
        "proven": entry.proven,
        "proven_at": None if entry.proof is None else entry.proof.proven_at.isoformat(timespec="seconds"),
    }
    if isinstance(found, PostgresManifest):
        data |= {
            "database": found.database.name,
            "tables": len(found.tables),
            "server_version": found.server_version,
        }
    return data


def table(screen: Screen, entries: Sequence[Entry], now: datetime) -> None:
    """The list for people."""
    figures = ("AGE", "COUNT", "SIZE", "STORED", "PROVEN")
    screen.table(
        [Column("KIND"), Column("ID", whole=True), *(Column(heading, right=True) for heading in figures)],
        [_row(entry, now) for entry in entries],
    )


def _row(entry: Entry, now: datetime) -> list[Part]:
    found = entry.manifest
    if found is None:
        return [(text, "red") for text in (entry.kind, str(entry.id), "", "unreadable manifest", "", "", "")]
    return [
        entry.kind,
        str(entry.id),
        duration(age_seconds(found, now)),
        f"{found.total:,}",
        size(found.uncompressed.bytes),
        size(found.stored.bytes),
        "yes" if entry.proven else "no",
    ]
