"""``ops db maintain`` (section 6.2)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final

import psycopg

from runbook import indexes, jobs
from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts.backup import lock
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.database import index, vacuum
from scripts.exits import Exit, worst
from scripts.output import Outcome, Screen

# No lock that these statements wait for or hold stands in the way of a reader or a writer; they only must not wait or
# run for ever, nor go on when this process is gone. The delay is what autovacuum gives way to others.
_SESSION: Final = {
    "statement_timeout": f"{jobs.WEEKLY_MAINTENANCE.deadline_seconds}s",
    "vacuum_cost_delay": "2ms",
    "client_connection_check_interval": "5s",
}


def run(settings: OpsSettings, *, lock_wait: float, dry_run: bool) -> Outcome:
    """Indexes first, then the vacuum; what cannot be done is told, holds up nothing else and decides the exit code."""
    target = settings.postgres
    access = postgres.Access.of(target, target.maintenance)
    alone = nullcontext() if dry_run else lock.held(access, target.database, lock.Purpose.MAINTENANCE)
    with alone, _session(access, target.database, lock_wait) as connection:
        built = [index.ensure(connection, access, wanted, dry_run=dry_run) for wanted in indexes.ALL]
        looked_at, vacuumed = vacuum.run(connection, lock_wait, dry_run=dry_run)
    data: dict[str, object] = {
        "database": target.database,
        "dry_run": dry_run,
        "indexes": [_plain_index(result) for result in built],
        "tables": looked_at,
        "vacuumed": [_plain_vacuum(result) for result in vacuumed],
    }
    codes = {result.code for result in built} | {Exit.TEMPORARY for result in vacuumed if result.note}
    return Outcome(data, lambda screen: _show(screen, built, looked_at, vacuumed, dry_run=dry_run), worst(codes))


@contextmanager
def _session(access: Access, database: str, lock_wait: float) -> Generator[psycopg.Connection]:
    doing = f"PostgreSQL at {access.address}, database {database}"
    with postgres.connect(access, database, application="ops maintain", doing=doing) as connection:
        # The table is looked for where its owner's statements look for it.
        connection.execute("RESET search_path")
        wanted = {**_SESSION, "lock_timeout": f"{int(lock_wait * 1000)}ms"}
        known = "SELECT name FROM pg_settings WHERE name = ANY(%s)"
        for (name,) in connection.execute(known, (list(wanted),)).fetchall():
            connection.execute("SELECT set_config(%s, %s, false)", (name, wanted[name]))
        yield connection


def _plain_index(result: index.Result) -> dict[str, object]:
    found: dict[str, object] = {"name": result.name, "action": str(result.action), "seconds": round(result.seconds, 2)}
    return found | ({"note": result.note} if result.note else {})


def _plain_vacuum(result: vacuum.Result) -> dict[str, object]:
    found: dict[str, object] = {
        "table": result.table,
        "reason": result.reason,
        "dead": result.dead,
        "dead_after": result.dead_after,
        "seconds": round(result.seconds, 2),
    }
    return found | ({"note": result.note} if result.note else {})


def _show(
    screen: Screen,
    built: Sequence[index.Result],
    looked_at: int,
    vacuumed: Sequence[vacuum.Result],
    *,
    dry_run: bool,
) -> None:
    would = "would be " if dry_run else ""
    for result in built:
        verb = (
            f"{would}{result.action}" if result.action in (index.Action.BUILT, index.Action.REBUILT) else result.action
        )
        took = f" in {duration(result.seconds)}" if result.seconds else ""
        note = f": {result.note}" if result.note else ""
        screen.line(f"index {result.name} {verb}{took}{note}")
    for done in vacuumed:
        verb = "not vacuumed" if done.note else f"{would}vacuumed"
        took = f", took {duration(done.seconds)}" if done.seconds else ""
        note = f" ({done.note})" if done.note else ""
        screen.line(f"table {done.table} {verb}: {done.reason}{took}{note}")
    screen.line(f"{looked_at} tables looked at, {len(vacuumed)} in need of a vacuum")
