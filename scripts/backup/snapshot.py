"""One moment of the database: the snapshot that the dump and the row counts share."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scripts import lazy
from scripts.backup import surroundings
from scripts.backup.manifest import shortened
from scripts.backup.postgres_model import DatabaseFacts, LargeObjects, Surroundings, Table
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import OpsError, TemporaryError, UsageError

# A table that is being rewritten is waited for, but not for the whole night.
LOCK_WAIT_SECONDS: Final = 60

# Tables of extensions are made by the extension itself and are not in the dump.
_FROM_TABLES: Final = """
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND
    d.deptype = 'e')
"""
_TABLES: Final = f"SELECT n.nspname, c.relname {_FROM_TABLES} ORDER BY 1, 2"
_MOMENT: Final = "SELECT pg_export_snapshot(), pg_database_size(current_database()), now()"
# A checksum of a row is that of its text: every type has one, and it says what a client would see.
# The path of these queries is the database's own, and a cast of the row to text may be its owner's: so each function is
# named in full, and the text is made by the type's own output.
_COUNT: Final = "SELECT pg_catalog.count(*), NULL FROM ONLY {table} AS t"
_CHECKSUM: Final = """
SELECT pg_catalog.count(*), pg_catalog.numeric_out(coalesce(pg_catalog.sum(pg_catalog.hashtextextended(
  pg_catalog.textin(pg_catalog.record_out({row})) COLLATE pg_catalog."C", 0)), 0))
FROM ONLY {table} AS t
"""
# A table that inherits comes back with its parents' columns first, also those that the parents were given later.
_INHERITING: Final = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
GROUP BY 1, 2
"""
_HASHED: Final = """
SELECT n.nspname, c.relname, rn.nspname, r.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = pg_partition_root(c.oid) JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relispartition AND c.relkind = 'r' AND EXISTS (
  SELECT FROM pg_partition_ancestors(c.oid) a JOIN pg_partitioned_table p ON p.partrelid = a.relid
  WHERE p.partstrat = 'h')
"""
_OWN_PATH: Final = """
SELECT set_config('search_path', coalesce(max(substr(c, length('search_path=') + 1)), '"$user", public'), false)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
WHERE d.datname = current_database() AND s.setrole = 0 AND starts_with(c, 'search_path=')
"""
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
        tables = tables_of(connection)
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
            surroundings.read(connection),
        )


def _check_rights(connection: lazy.psycopg.Connection, role: str) -> None:
    """Raise unless the role may read everything: pg_dump would name one object, without what to do."""
    tables = [row[0] for row in connection.execute(f"SELECT c.oid {_FROM_TABLES}".encode()).fetchall()]
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


def count(
    connection: lazy.psycopg.Connection, tables: tuple[tuple[str, str], ...], *, checksums: bool = True
) -> tuple[Table, ...]:
    """The exact number of rows of each table and their checksum, as ``connection``'s transaction sees them."""
    # Before the path changes: these names are PostgreSQL's own.
    inheriting = {(schema, name): columns for schema, name, columns in connection.execute(_INHERITING).fetchall()}
    # The planner looks into the functions of an index, and they may need the database's own path.
    connection.execute(_OWN_PATH)
    return tuple(_count(connection, table, inheriting.get(table), checksums=checksums) for table in tables)


def hashed(connection: lazy.psycopg.Connection) -> dict[str, str]:
    """The tables whose rows a hash has spread, with the table that they are partitions of, by their labels.

    The hash of an enum is another after a restore, and so is the partition of a row.
    """
    found = connection.execute(_HASHED).fetchall()
    return {f"{schema}.{name}": f"{above}.{root}" for schema, name, above, root in found}


def tables_of(connection: lazy.psycopg.Connection) -> tuple[tuple[str, str], ...]:
    """Schema and name of every table that a dump of the database holds."""
    return tuple((str(schema), str(name)) for schema, name in connection.execute(_TABLES.encode()).fetchall())


def _count(
    connection: lazy.psycopg.Connection, table: tuple[str, str], columns: list[str] | None, *, checksums: bool
) -> Table:
    row = lazy.sql.SQL("t.*")
    if columns is not None:
        names = lazy.sql.SQL(", ").join(lazy.sql.Identifier("t", column) for column in columns)
        row = lazy.sql.SQL("ROW({})").format(names)
    # ONLY: rows of partitions and of inheriting tables are counted where they are stored.
    query = lazy.sql.SQL(_CHECKSUM if checksums else _COUNT).format(table=lazy.sql.Identifier(*table), row=row)
    rows, checksum = connection.execute(query).fetchone() or (0, None)
    return Table(schema_name=table[0], name=table[1], rows=int(rows), checksum=checksum)


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
            self._found = count(connection, self._snapshot.tables), large_objects
        except Exception as error:  # noqa: BLE001 - raised again by result
            self._error = error
