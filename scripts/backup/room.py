"""Whether the volume of a PostgreSQL server has room for a restore: where it fills, the server stops."""

from __future__ import annotations

from typing import Final

from runbook.units import size
from scripts import lazy, log
from scripts.backup.manifest import PostgresManifest
from scripts.clients import postgres
from scripts.exits import UsageError

# PostgreSQL itself does not know; a superuser may ask the system that it runs on. Kibibytes, one line a file system.
_FREE: Final = "COPY pg_temp.ops_room FROM PROGRAM 'df -Pk .'"
_WAL: Final = """
SELECT pg_size_bytes(current_setting('max_wal_size')),
       current_setting('archive_mode') <> 'off' OR EXISTS (SELECT FROM pg_replication_slots)
"""


def check(admin: lazy.psycopg.Connection, manifest: PostgresManifest) -> None:
    """Raise unless there is room for the copy and its WAL; where the server cannot say, the log does.

    Raises:
        UsageError: there is less.
    """
    free = _free(admin)
    if free is None:
        log.warning("the server does not say how much room its volume has", needed=size(manifest.database_bytes))
        return
    largest, kept = admin.execute(_WAL).fetchone() or (0, False)
    # What archives or replicas have not fetched yet stays, however much it is.
    needed = manifest.database_bytes + int(largest) + (manifest.database_bytes if kept else 0)
    if free < needed:
        raise UsageError(
            f"the restore needs {size(needed)} beside what is there (a copy and its WAL), and the server's volume has "
            f"{size(free)} free; nothing was touched: grow the volume, or drop what earlier restores have put aside "
            "(ops backups prune --databases)"
        )


def _free(admin: lazy.psycopg.Connection) -> int | None:
    """Bytes that are free on the volume of the server's data."""
    try:
        with admin.transaction():
            admin.execute("CREATE TEMPORARY TABLE ops_room (line text) ON COMMIT DROP")
            admin.execute(_FREE)
            rows = admin.execute("SELECT line FROM pg_temp.ops_room").fetchall()
    except lazy.psycopg.Error as error:
        log.info("df on the server failed", reason=postgres.explain(error))
        return None
    fields = str(rows[-1][0]).split() if rows else []
    return int(fields[3]) * 1024 if len(fields) >= 6 and fields[3].isdigit() else None
