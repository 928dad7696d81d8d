"""One moment of the database: the snapshot that the dump and the row counts share."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scripts import lazy
from scripts.backup.manifest import DatabaseFacts, Table
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import OpsError, TemporaryError

# A table that is being rewritten is waited for, but not for the whole night.
LOCK_WAIT_SECONDS: Final = 60

# Tables of extensions are made by the extension itself and are not in the dump.
_TABLES: Final = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype =
  'e') ORDER BY 1, 2
"""
_FACTS: Final = """
SELECT d.datname, pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
       pg_database_size(d.oid), now()
FROM pg_database d WHERE d.datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An exported snapshot. ``size`` is the database on disk in bytes; ``taken_at`` the moment it shows."""

    connection: lazy.psycopg.Connection
    name: str
    facts: DatabaseFacts
    size: int
    taken_at: datetime
    server_version: str
    server_major: int
    tables: tuple[tuple[str, str], ...]


@contextmanager
def opened(access: Access, database: str) -> Generator[Snapshot]:
    """A snapshot that lives as long as the block; its tables are locked against being dropped or altered.

    Raises:
        UsageError: the role may not read everything.
        TemporaryError: the server ended the session, or a table stayed locked.
    """
    doing = f"snapshot of {database}"
    with postgres.connect(access, database, application="ops backup", doing=doing, autocommit=False) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # Policies that hide rows are an error here, as they are for pg_dump, and not a smaller count.
        connection.execute("SET LOCAL row_security = off")
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'".encode())
        facts = connection.execute(_FACTS).fetchone()
        exported = connection.execute("SELECT pg_export_snapshot()").fetchone()
        if facts is None or exported is None:
            raise TemporaryError(f"database {database} vanished while its snapshot was taken")
        tables = tables_of(connection)
        if tables:
            names = lazy.sql.SQL(", ").join(
                lazy.sql.SQL("ONLY {}").format(lazy.sql.Identifier(*table)) for table in tables
            )
            connection.execute(lazy.sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        yield Snapshot(
            connection,
            str(exported[0]),
            DatabaseFacts(name=facts[0], owner=facts[1], encoding=facts[2], collate=facts[3], ctype=facts[4]),
            int(facts[5]),
            facts[6],
            connection.info.parameter_status("server_version") or "",
            connection.info.server_version // 10000,
            tables,
        )


def count(connection: lazy.psycopg.Connection, tables: tuple[tuple[str, str], ...]) -> tuple[Table, ...]:
    """The exact number of rows of each table, as ``connection``'s transaction sees them."""
    return tuple(_count(connection, schema, name) for schema, name in tables)


def tables_of(connection: lazy.psycopg.Connection) -> tuple[tuple[str, str], ...]:
    """Schema and name of every table that a dump of the database holds."""
    return tuple((str(schema), str(name)) for schema, name in connection.execute(_TABLES).fetchall())


def _count(connection: lazy.psycopg.Connection, schema: str, name: str) -> Table:
    # ONLY: rows of partitions and of inheriting tables are counted where they are stored.
    row = connection.execute(
        lazy.sql.SQL("SELECT count(*) FROM ONLY {}").format(lazy.sql.Identifier(schema, name))
    ).fetchone()
    return Table(schema_name=schema, name=name, rows=int(row[0]) if row else 0)


class Counting:
    """The rows of a snapshot counted beside the dump: the pages that one reads are in memory for the other."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._tables: tuple[Table, ...] | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._count, name="counting", daemon=True)
        self._thread.start()

    def result(self) -> tuple[Table, ...]:
        """Wait for the counts.

        Raises:
            OpsError: what went wrong when counting.
        """
        self._thread.join()
        if isinstance(self._error, lazy.psycopg.Error):
            raise postgres.translate(self._error, f"counting the rows of {self._snapshot.facts.name}")
        if self._error is not None or self._tables is None:
            raise OpsError(f"counting the rows of {self._snapshot.facts.name}: {self._error}")
        return self._tables

    def cancel(self) -> None:
        """Stop counting, so that the connection can be closed."""
        if self._thread.is_alive():
            self._snapshot.connection.cancel_safe(timeout=5)
            self._thread.join(timeout=5)

    def _count(self) -> None:
        try:
            self._tables = count(self._snapshot.connection, self._snapshot.tables)
        except Exception as error:  # noqa: BLE001 - raised again by result
            self._error = error
