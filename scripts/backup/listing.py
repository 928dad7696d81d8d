"""``ops backups list``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts.backup.catalog import Catalog, Entry
from scripts.backup.manifest import MODELS, PostgresManifest, age_seconds
from scripts.clients.s3 import Bucket
from scripts.output import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def run(settings: OpsSettings) -> Outcome:
    """Every complete backup, by kind and newest first."""
    bucket = Bucket(settings.backup)
    entries = [entry for model in MODELS for entry in Catalog(bucket, settings, model).entries()]
    now = datetime.now(UTC)

    def show(console: Console) -> None:
        if entries:
            console.print(table(entries, now))
        else:
            console.print(
                f"There is no backup in s3://{settings.backup.bucket}/{settings.backup.prefix}", highlight=False
            )

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


def table(entries: Sequence[Entry], now: datetime) -> Table:
    """The list for people."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading in ("KIND", "ID", "AGE", "COUNT", "SIZE", "STORED", "PROVEN"):
        grid.add_column(heading, justify="left" if heading in ("KIND", "ID") else "right", no_wrap=True)
    for entry in entries:
        found = entry.manifest
        if found is None:
            grid.add_row(entry.kind, str(entry.id), "", "unreadable manifest", style="red")
            continue
        grid.add_row(
            entry.kind,
            str(entry.id),
            duration(age_seconds(found, now)),
            f"{found.total:,}",
            size(found.uncompressed.bytes),
            size(found.stored.bytes),
            "yes" if entry.proven else "no",
        )
    return grid
