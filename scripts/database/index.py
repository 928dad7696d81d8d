"""An index that must be there, built without locking out a writer (section 6.2, defect 8)."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psycopg
from psycopg import sql

from runbook.indexes import Index
from scripts import log
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import Exit, OpsError, TemporaryError

_FOUND: Final = """
SELECT i.indisvalid, i.indrelid = t.oid AND m.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL,
  ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place),
  ARRAY(SELECT o.flags & 1 = 1 FROM unnest(i.indoption) WITH ORDINALITY o(flags, place) ORDER BY o.place)
FROM pg_class t JOIN pg_class c ON c.relnamespace = t.relnamespace JOIN pg_index i ON i.indexrelid = c.oid
JOIN pg_am m ON m.oid = c.relam WHERE t.oid = to_regclass(%s) AND c.relname = %s
"""
_BUILDERS: Final = "SELECT pid FROM pg_stat_progress_create_index WHERE relid = to_regclass(%s)"
_CLEANUP_MILLISECONDS: Final = 5000


class Action(StrEnum):
    """What became of an index."""

    PRESENT = "present"
    BUILT = "built"
    REBUILT = "rebuilt"
    NO_TABLE = "no table"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """``action`` is what would be done in a dry run; ``code`` is how a failure ends the command."""

    name: str
    action: Action
    seconds: float = 0.0
    note: str = ""
    code: Exit = Exit.DONE


@dataclass(frozen=True, slots=True)
class _Found:
    valid: bool
    plain: bool
    columns: list[str]
    descending: list[bool]

    def is_as(self, index: Index) -> bool:
        found = tuple(zip(self.columns, self.descending, strict=True))
        return self.plain and found == index.columns


def ensure(connection: psycopg.Connection, access: Access, index: Index, *, dry_run: bool) -> Result:
    """Build ``index`` unless it is there; what an interrupted build left is dropped first.

    Readers and writers go on all the time. A run that is killed leaves an index that the next run finds invalid.
    """
    if connection.execute("SELECT to_regclass(%s)", (index.table,)).fetchall()[0][0] is None:
        return Result(index.name, Action.NO_TABLE, note=f"table {index.table} is not there yet")
    found = _look(connection, index)
    if found is not None and not found.is_as(index):
        wanted = _definition(index).as_string(connection)
        return Result(index.name, Action.DIFFERS, note=f"its definition is another one and is kept; wanted: {wanted}")
    if found is not None and found.valid:
        return Result(index.name, Action.PRESENT)
    action = Action.BUILT if found is None else Action.REBUILT
    if dry_run:
        return Result(index.name, action)
    try:
        return Result(index.name, action, _build(connection, access, index, invalid=found is not None))
    except OpsError as error:
        return Result(index.name, Action.FAILED, note=str(error), code=error.code)


def _build(connection: psycopg.Connection, access: Access, index: Index, *, invalid: bool) -> float:
    start = time.monotonic()
    with postgres.translated(f"index {index.name}"):
        # An index is invalid while it is being built, too.
        builders = connection.execute(_BUILDERS, (index.table,)).fetchall()
        if builders:
            raise TemporaryError(f"index {index.name}: session {builders[0][0]} is building an index of {index.table}")
        if invalid:
            log.info("dropping what an interrupted build left", index=index.name)
            connection.execute(_drop(index))
        log.info("building", index=index.name)
        try:
            with postgres.cancelled(connection):
                connection.execute(_definition(index))
        except BaseException:
            _clean_up(access, connection.info.dbname, connection.info.backend_pid, index)
            raise
    return time.monotonic() - start


def _clean_up(access: Access, database: str, builder: int, index: Index) -> None:
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
        found = _look(connection, index)
        if found is not None and not found.valid:
            connection.execute(_drop(index))


def _look(connection: psycopg.Connection, index: Index) -> _Found | None:
    row = connection.execute(_FOUND, (index.table, index.name)).fetchone()
    return None if row is None else _Found(*row)


def _definition(index: Index) -> sql.Composed:
    columns = [
        sql.SQL("{} DESC").format(sql.Identifier(name)) if down else sql.Identifier(name)
        for name, down in index.columns
    ]
    return sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} ({})").format(
        sql.Identifier(index.name), sql.Identifier(index.table), sql.SQL(", ").join(columns)
    )


def _drop(index: Index) -> sql.Composed:
    return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(index.name))
