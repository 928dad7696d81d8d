"""Building one index of one table without locking out a writer, and what there is of it already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import errors, sql

from runbook.indexes import Index
from scripts import log
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import CheckFailedError, OpsError, TemporaryError

_TABLE: Final = """
SELECT c.oid::int8, n.nspname, c.relname, c.relkind::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""
_INDEXES: Final = """
SELECT n.nspname, c.relname, i.indisvalid, i.indrelid::int8, h.inhparent::int8, c.oid::int8,
  m.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL,
  i.indisunique,
  ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place),
  ARRAY(SELECT o.flags & 1 = 1 FROM unnest(i.indoption) WITH ORDINALITY o(flags, place) ORDER BY o.place)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_am m ON m.oid = c.relam LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
WHERE i.indrelid = %(table)s OR (c.relname = %(name)s AND n.nspname = %(schema)s)
"""
_BUILDERS: Final = "SELECT pid FROM pg_stat_progress_create_index WHERE relid = %s"
_CLEANUP_MILLISECONDS: Final = 5000
_BRIEFLY_MILLISECONDS: Final = 300
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Table:
    """A table, or a partitioned one (``kind`` p)."""

    oid: int
    schema: str
    name: str
    kind: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Found:
    """An index that there is; ``parent`` is the index of the partitioned table to which it is attached."""

    schema: str
    name: str
    valid: bool
    table: int
    parent: int | None
    oid: int
    plain: bool
    unique: bool
    columns: list[str]
    descending: list[bool]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def is_as(self, index: Index, table: Table) -> bool:
        """Whether it is an index of the table on these columns."""
        found = tuple(zip(self.columns, self.descending, strict=True))
        return self.plain and self.table == table.oid and found == index.columns


def table(connection: psycopg.Connection, name: str) -> Table | None:
    """The table of that name, as the search path finds it."""
    row = connection.execute(_TABLE, (name,)).fetchone()
    return None if row is None else Table(*row)


def indexes(connection: psycopg.Connection, of: Table, name: str = "") -> list[Found]:
    """The indexes of a table, and the one of another table that has a ``name`` in the same schema."""
    values = {"table": of.oid, "schema": of.schema, "name": name}
    return [Found(*row) for row in connection.execute(_INDEXES, values).fetchall()]


def named(found: Sequence[Found], name: str) -> Found | None:
    """The index of that name."""
    return next((each for each in found if each.name == name), None)


def definition(index: Index, name: str, of: Table, how: str) -> sql.Composed:
    """The statement that makes the index; ``how`` is CONCURRENTLY, or ONLY for a partitioned table's own part."""
    columns = [
        sql.SQL("{} DESC").format(sql.Identifier(column)) if down else sql.Identifier(column)
        for column, down in index.columns
    ]
    forms = {
        "CONCURRENTLY": sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} ({})"),
        "ONLY": sql.SQL("CREATE INDEX {} ON ONLY {} ({})"),
    }
    return forms[how].format(sql.Identifier(name), of.identifier, sql.SQL(", ").join(columns))


def build(connection: psycopg.Connection, access: Access, index: Index, name: str, of: Table) -> None:
    """Build the index of one table; what an interrupted build left under its name is dropped first.

    Raises:
        CheckFailedError: the name is taken by an index with another definition.
        TemporaryError: another session builds an index of the table, or a lock was not to be had.
    """
    with postgres.translated(f"index {name}"):
        # An index is invalid while it is being built, too.
        builders = connection.execute(_BUILDERS, (of.oid,)).fetchall()
        if builders:
            raise TemporaryError(f"index {name}: session {builders[0][0]} is building an index of {of.name}")
        left = named(indexes(connection, of), name)
        if left is not None and left.valid:
            raise CheckFailedError(f"index {name} of {of.name} has another definition and is kept; rename it")
        if left is not None:
            log.info("dropping what an interrupted build left", index=name)
            connection.execute(_drop(left))
        log.info("building", index=name)
        try:
            with postgres.cancelled(connection):
                connection.execute(definition(index, name, of, "CONCURRENTLY"))
        except BaseException:
            _clean_up(access, connection.info.dbname, connection.info.backend_pid, of, name)
            raise


def briefly(connection: psycopg.Connection, statement: sql.Composed) -> None:
    """Run a statement behind whose wait for its lock writers would queue: shortly, until the session's own time is up.

    Raises:
        LockNotAvailable: nor was the lock to be had by then.
    """
    row: Any = connection.execute("SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'").fetchone()
    end = time.monotonic() + row[0] / 1000
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (str(min(row[0], _BRIEFLY_MILLISECONDS)),))
    try:
        while True:
            try:
                with postgres.cancelled(connection):
                    connection.execute(statement)
            except errors.LockNotAvailable:
                if time.monotonic() + _PAUSE_SECONDS > end:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return
    finally:
        with suppress(psycopg.Error):
            connection.execute("SELECT set_config('lock_timeout', %s, false)", (str(row[0]),))


def _clean_up(access: Access, database: str, builder: int, of: Table, name: str) -> None:
    """Drop what the failed build left, where that takes no waiting: it is kept up to date and serves nobody."""
    with (
        suppress(OpsError),
        postgres.connect(access, database, application="ops maintain") as connection,
    ):
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (str(_CLEANUP_MILLISECONDS),))
        busy = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
        end = time.monotonic() + _CLEANUP_MILLISECONDS / 1000
        while connection.execute(busy, (builder,)).fetchone() and time.monotonic() < end:
            time.sleep(0.05)
        left = named(indexes(connection, of), name)
        if left is not None and not left.valid:
            connection.execute(_drop(left))


def _drop(found: Found) -> sql.Composed:
    return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(found.identifier)
