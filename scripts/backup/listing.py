"""``ops backups list``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runbook.ops_settings import OpsSettings
from scripts.backup.catalog import Catalog, Entry
from scripts.backup.manifest import age_seconds
from scripts.backup.units import duration, size
from scripts.clients.s3 import Bucket
from scripts.output import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def run(settings: OpsSettings) -> Outcome:
    """Every complete backup, newest first."""
    entries = Catalog(Bucket(settings.backup), settings).entries()
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
        return {"id": str(entry.id), "readable": False, "problem": entry.problem}
    return {
        "id": str(entry.id),
        "readable": True,
        "database": found.database.name,
        "snapshot_at": found.snapshot_at.isoformat(timespec="seconds"),
        "age_seconds": round(age_seconds(found, now)),
        "tables": len(found.tables),
        "rows": found.rows,
        "uncompressed_bytes": found.uncompressed.bytes,
        "stored_bytes": found.stored.bytes,
        "seconds": found.duration_seconds,
        "server_version": found.server_version,
    }


def table(entries: Sequence[Entry], now: datetime) -> Table:
    """The list for people."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading in ("ID", "AGE", "DATABASE", "TABLES", "ROWS", "DUMP", "STORED", "TOOK"):
        grid.add_column(heading, justify="left" if heading in ("ID", "DATABASE") else "right", no_wrap=True)
    for entry in entries:
        found = entry.manifest
        if found is None:
            grid.add_row(str(entry.id), "", "unreadable manifest", style="red")
            continue
        grid.add_row(
            str(entry.id),
            duration(age_seconds(found, now)),
            found.database.name,
            str(len(found.tables)),
            f"{found.rows:,}",
            size(found.uncompressed.bytes),
            size(found.stored.bytes),
            duration(found.duration_seconds),
        )
    return grid
