"""One moment of the database: the snapshot that the dump and the row counts share."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scripts import lazy
from scripts.backup import rows, surroundings
from scripts.backup.manifest import shortened
from scripts.backup.postgres_model import DatabaseFacts, LargeObjects, Surroundings, Table
from scripts.backup.rows import Method
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import OpsError, TemporaryError, UsageError

# A table that is being rewritten is waited for, but not for the whole night.
LOCK_WAIT_SECONDS: Final = 60

_MOMENT: Final = "SELECT pg_export_snapshot(), pg_database_size(current_database()), now()"
_UNREADABLE: Final = """
SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s) AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
ORDER BY 1
"""
_FILTERED: Final = """
SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s) AND row_security_active(c.oid) ORDER BY 1
"""
_CLOSED_OBJECTS: Final = """
SELECT m.oid FROM pg_largeobject_metadata m WHERE NOT pg_has_role(m.lomowner, 'USAGE') AND NOT EXISTS (
  SELECT FROM aclexplode(m.lomacl) g
  WHERE g.privilege_type = 'SELECT' AND (g.grantee = 0 OR pg_has_role(g.grantee, 'USAGE')))
ORDER BY 1
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
    checksums: Method
    surroundings: Surroundings


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
        found = connection.execute(_MOMENT).fetchone()
        if found is None:
            raise TemporaryError(f"database {database} vanished while its snapshot was taken")
        exported, size, taken_at = found
        tables = rows.tables_of(connection)
        _check_rights(connection, access.user)
        if tables:
            names = lazy.sql.SQL(", ").join(
                lazy.sql.SQL("ONLY {}").format(lazy.sql.Identifier(*table)) for table in tables
            )
            connection.execute(lazy.sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        yield Snapshot(
            connection,
            str(exported),
            surroundings.facts(connection),
            int(size),
            taken_at,
            connection.info.parameter_status("server_version") or "",
            connection.info.server_version // 10000,
            tables,
            rows.method_for(connection),
            surroundings.read(connection),
        )


def _check_rights(connection: lazy.psycopg.Connection, role: str) -> None:
    """Raise unless the role may read everything: pg_dump would name one object, without what to do."""
    tables = [row[0] for row in connection.execute(f"SELECT c.oid {rows.FROM_TABLES}".encode()).fetchall()]
    who = lazy.sql.Identifier(role).as_string(connection)
    remedies = {
        _UNREADABLE: f"GRANT pg_read_all_data TO {who}",
        _FILTERED: f"ALTER ROLE {who} BYPASSRLS (row-level security hides rows from it)",
    }
    for query, remedy in remedies.items():
        if names := [str(row[0]) for row in connection.execute(query.encode(), (tables,)).fetchall()]:
            raise UsageError(f"role {role} may not read {shortened(names, 'tables')}: {remedy}")
    if closed := [str(row[0]) for row in connection.execute(_CLOSED_OBJECTS).fetchall()]:
        raise UsageError(
            f"role {role} may not read large object {shortened(closed, 'large objects')}: "
            f"GRANT SELECT ON LARGE OBJECT {', '.join(closed[:3])} TO {who}, and of each that is made later"
        )


class Counting:
    """The content of a snapshot counted beside the dump: the pages that one reads are in memory for the other."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._found: tuple[tuple[Table, ...], LargeObjects] | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._count, name="counting", daemon=True)
        self._thread.start()

    def result(self) -> tuple[tuple[Table, ...], LargeObjects]:
        """Wait for the counts of tables and of large objects.

        Raises:
            OpsError: what went wrong when counting.
        """
        self._thread.join()
        self.check()
        if self._found is None:
            raise OpsError(f"counting the rows of {self._snapshot.facts.name} ended without a result")
        return self._found

    def check(self) -> None:
        """Raise what went wrong so far: it ends the snapshot, and what else fails then is its consequence."""
        if isinstance(self._error, lazy.psycopg.Error):
            raise postgres.translate(self._error, f"counting the rows of {self._snapshot.facts.name}")
        if self._error is not None:
            raise OpsError(f"counting the rows of {self._snapshot.facts.name}: {self._error}")

    def cancel(self) -> None:
        """Stop counting, so that the connection can be closed."""
        if self._thread.is_alive():
            self._snapshot.connection.cancel_safe(timeout=5)
            self._thread.join(timeout=5)

    def _count(self) -> None:
        try:
            connection = self._snapshot.connection
            # First, for the tables are counted with a path that may have anything before PostgreSQL's own functions.
            large_objects = surroundings.large_objects(connection)
            self._found = rows.count(connection, self._snapshot.tables, self._snapshot.checksums), large_objects
        except Exception as error:  # noqa: BLE001 - raised again by result
            self._error = error
