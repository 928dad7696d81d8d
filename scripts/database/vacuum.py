"""Which tables need a vacuum, and the vacuum that holds up nobody (section 6.2)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg
from psycopg import errors, sql

from runbook import practices
from runbook.units import duration
from scripts import log
from scripts.clients import postgres

# The owner of a database may vacuum every table in it.
_TABLES: Final = """
SELECT s.schemaname, s.relname, s.n_live_tup, s.n_dead_tup, s.n_mod_since_analyze,
  greatest(s.last_vacuum, s.last_autovacuum) FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
JOIN pg_database d ON d.datname = current_database()
WHERE pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE') ORDER BY s.n_dead_tup DESC, 1, 2
"""
# Whoever holds the lock is vacuuming it himself or changing the table: both are no reason to wait for long.
_LOCK_SECONDS: Final = 10.0
_DEAD: Final = """
SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = %s AND relname = %s
"""


@dataclass(frozen=True, slots=True)
class Table:
    """What the server counted in a table since its last vacuum and analysis."""

    schema: str
    name: str
    live: int
    dead: int
    changed: int
    vacuumed: datetime | None

    @property
    def shown(self) -> str:
        """Its name, with its schema where that is not the usual one."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Result:
    """A vacuum: why, how long, and dead rows before and after; ``note`` is why it did not happen."""

    table: str
    reason: str
    dead: int
    dead_after: int | None = None
    seconds: float = 0.0
    note: str = ""


def need(table: Table, now: datetime) -> str | None:
    """Why the table is to be vacuumed, or None."""
    rows = table.live + table.dead
    limit = practices.DEAD_ROW_RATIO.value
    if rows and table.dead / rows > limit:
        return f"{table.dead / rows:.0%} of its rows are dead"
    if rows and table.changed / rows > limit:
        return f"{table.changed} changes since its statistics for {table.live} rows"
    if not table.dead and not table.changed:
        return None
    if table.vacuumed is None:
        return "it was written to and never vacuumed"
    age = now - table.vacuumed
    if age > timedelta(days=practices.VACUUM_AGE.value):
        return f"it was written to since its vacuum {duration(age.total_seconds())} ago"
    return None


def run(connection: psycopg.Connection, lock_wait: float, *, dry_run: bool) -> tuple[int, list[Result]]:
    """Vacuum what needs it: how many tables were looked at, and what was done or would be.

    A table that somebody else has locked is waited for up to ``lock_wait`` seconds, though never more than 10.
    """
    now = connection.execute("SELECT now()").fetchall()[0][0]
    tables = [Table(*row) for row in connection.execute(_TABLES).fetchall()]
    due = [(table, reason) for table in tables if (reason := need(table, now))]
    if dry_run:
        return len(tables), [Result(table.shown, reason, table.dead) for table, reason in due]
    milliseconds = str(int(min(lock_wait, _LOCK_SECONDS) * 1000))
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (milliseconds,))
    return len(tables), [_vacuum(connection, table, reason) for table, reason in due]


def _vacuum(connection: psycopg.Connection, table: Table, reason: str) -> Result:
    start = time.monotonic()
    log.info("vacuuming", table=table.shown, reason=reason)
    # To give the file's end back to the disk would lock out everybody for a moment.
    options = "ANALYZE, TRUNCATE FALSE" if connection.info.server_version >= 120000 else "ANALYZE"
    statement = sql.SQL(f"VACUUM ({options}) {{}}").format(sql.Identifier(table.schema, table.name))  # pyright: ignore[reportArgumentType] - of two constants
    try:
        with postgres.cancelled(connection):
            connection.execute(statement)
    except (errors.LockNotAvailable, errors.QueryCanceled, errors.UndefinedTable) as error:
        return Result(table.shown, reason, table.dead, note=postgres.explain(error))
    after = connection.execute(_DEAD, (table.schema, table.name)).fetchone()
    return Result(table.shown, reason, table.dead, after[0] if after else None, time.monotonic() - start)
