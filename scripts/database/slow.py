"""``ops db slow`` (section 6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg import sql

from runbook import thresholds
from runbook.ops_settings import OpsSettings
from scripts.clients import postgres
from scripts.database.statements import without_values
from scripts.exits import UsageError
from scripts.output import Column, Outcome, Screen

TOP: Final = 10
_VIEW: Final = """
SELECT n.nspname, array_agg(a.attname::text) FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
JOIN pg_attribute a ON a.attrelid = format('%I.pg_stat_statements', n.nspname)::regclass AND a.attnum > 0
WHERE e.extname = 'pg_stat_statements' GROUP BY 1
"""
_TOP: Final = """
SELECT query, calls, {total}, {mean}, {most}, rows FROM {view}
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY {order} DESC LIMIT %s
"""


class Order(StrEnum):
    """What comes first: what costs the server most, or what its callers wait for longest."""

    TOTAL = "total"
    MEAN = "mean"


def run(settings: OpsSettings, *, order: Order, top: int = TOP) -> Outcome:
    """The statements that take most time; those above 500 ms on average are marked."""
    target = settings.postgres
    access = postgres.Access.of(target, target.maintenance)
    doing = f"PostgreSQL at {access.address}, pg_stat_statements"
    with postgres.connect(access, target.database, application="ops slow", doing=doing) as connection:
        rows = connection.execute(_query(connection, order), (top,)).fetchall()
    limit = thresholds.SLOW_QUERY.value
    found = [_plain(row, limit) for row in rows]
    data = {"database": target.database, "by": str(order), "limit_ms": limit, "statements": found}
    return Outcome(data, lambda screen: _show(screen, found, limit))


def _query(connection: psycopg.Connection, order: Order) -> sql.Composed:
    row = connection.execute(_VIEW).fetchone()
    if row is None:
        raise UsageError(
            "pg_stat_statements is not installed in this database: as superuser, CREATE EXTENSION pg_stat_statements, "
            "and name it in shared_preload_libraries"
        )
    schema, columns = row
    # Since version 1.8, which came with PostgreSQL 13, planning is counted apart; an upgraded server keeps the old view
    # until the extension is upgraded too.
    kind = "exec_time" if "total_exec_time" in columns else "time"
    names = {"total": f"total_{kind}", "mean": f"mean_{kind}", "most": f"max_{kind}", "order": f"{order}_{kind}"}
    view = sql.Identifier(schema, "pg_stat_statements")
    return sql.SQL(_TOP).format(view=view, **{key: sql.Identifier(name) for key, name in names.items()})


def _plain(row: Sequence[Any], limit: float) -> dict[str, object]:
    query, calls, total, mean, most, rows = row
    return {
        "statement": without_values(query),
        "calls": calls,
        "total_ms": round(total, 1),
        "mean_ms": round(mean, 1),
        "max_ms": round(most, 1),
        "rows": rows,
        "slow": mean > limit,
    }


def _show(screen: Screen, found: Sequence[dict[str, object]], limit: float) -> None:
    figures = [Column(heading, right=True) for heading in ("TOTAL", "MEAN", "MAX", "CALLS", "ROWS")]
    screen.table(
        [Column(""), *figures, Column("STATEMENT")],
        [
            [
                "slow" if item["slow"] else "",
                *(f"{item[key]} ms" for key in ("total_ms", "mean_ms", "max_ms")),
                *(str(item[key]) for key in ("calls", "rows", "statement")),
            ]
            for item in found
        ],
    )
    screen.line(f"slow: more than {limit:g} ms on average")
