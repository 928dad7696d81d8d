"""``ops db connections`` (section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from runbook import practices, thresholds
from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts.clients import postgres
from scripts.database.statements import without_values
from scripts.output import Column, Outcome, Screen

# What a session of another user does is hidden from a login without pg_monitor, its kind included.
_CLIENTS: Final = "datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"
_GROUPS: Final = f"""
SELECT usename, coalesce(application_name, ''), coalesce(state, 'hidden'), count(*),
  coalesce(max(extract(epoch FROM clock_timestamp() - state_change)), 0)::float
FROM pg_stat_activity WHERE {_CLIENTS} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3
"""  # noqa: S608 - a constant
_LIMITS: Final = """
SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int
"""
# An open transaction that waits for its client holds locks and dead rows as well as a running statement does.
_LONG: Final = f"""
SELECT pid, usename, coalesce(application_name, ''), state,
  extract(epoch FROM clock_timestamp() - CASE state WHEN 'active' THEN query_start ELSE xact_start END)::float AS age,
  pg_blocking_pids(pid), query
FROM pg_stat_activity WHERE {_CLIENTS} AND state <> 'idle'
  AND CASE state WHEN 'active' THEN query_start ELSE xact_start END < clock_timestamp() - make_interval(secs => %s)
ORDER BY age DESC LIMIT 50
"""  # noqa: S608 - a constant


def run(settings: OpsSettings) -> Outcome:
    """Who is connected, against what may be, and what has been running for longer than a statement should."""
    target = settings.postgres
    access = postgres.Access.of(target, target.maintenance)
    with postgres.connect(access, target.database, application="ops connections") as connection:
        most, reserved = connection.execute(_LIMITS).fetchall()[0]
        groups = [_group(row) for row in connection.execute(_GROUPS.encode()).fetchall()]
        slow = thresholds.SLOW_QUERY.value / 1000
        long = [_statement(row) for row in connection.execute(_LONG.encode(), (slow,)).fetchall()]
    used = sum(int(str(group["count"])) for group in groups)
    data: dict[str, object] = {
        "used": used,
        "max_connections": most,
        "reserved": reserved,
        "share": round(used / most, 3),
        "limit": practices.CONNECTION_RATIO.value,
        "over_limit": used / most >= practices.CONNECTION_RATIO.value,
        "groups": groups,
        "long": long,
    }
    return Outcome(data, lambda screen: _show(screen, data, groups, long))


def _group(row: Sequence[Any]) -> dict[str, object]:
    user, application, state, count, oldest = row
    return {"user": user, "application": application, "state": state, "count": count, "oldest_seconds": round(oldest)}


def _statement(row: Sequence[Any]) -> dict[str, object]:
    pid, user, application, state, seconds, blockers, query = row
    return {
        "pid": pid,
        "user": user,
        "application": application,
        "state": state,
        "seconds": round(seconds, 1),
        "waits_for": sorted(set(blockers)),
        "statement": without_values(query),
    }


def _show(
    screen: Screen, data: dict[str, object], groups: Sequence[dict[str, object]], long: Sequence[dict[str, object]]
) -> None:
    screen.line(
        f"{data['used']} of {data['max_connections']} connections ({data['share']:.0%}, ",
        ("over the limit of", "red") if data["over_limit"] else "limit",
        f" {float(str(data['limit'])):.0%}), {data['reserved']} of them for superusers",
    )
    screen.table(
        [*map(Column, ("USER", "APPLICATION", "STATE")), *(Column(each, right=True) for each in ("COUNT", "OLDEST"))],
        [
            [
                *(str(group[key]) for key in ("user", "application", "state", "count")),
                duration(float(str(group["oldest_seconds"]))),
            ]
            for group in groups
        ],
    )
    for item in long:
        waits = f", waits for {item['waits_for']}" if item["waits_for"] else ""
        line = f"{item['pid']} {item['user']} {item['state']} {duration(float(str(item['seconds'])))}{waits}: "
        screen.line(f"{line}{item['statement']}")
