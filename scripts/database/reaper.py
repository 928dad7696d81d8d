"""``ops db reap-idle`` (section 3.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg

from runbook import thresholds
from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts import log
from scripts.clients import postgres
from scripts.exits import Exit
from scripts.output import Outcome, Screen

# An idle session's age is the time since it fell idle: query_start is when its last statement began, which may have run
# for hours. Clients of a replica and of a backup rest between two pieces of work; so do this program's other commands.
_OLD: Final = """
SELECT a.pid, a.backend_start, a.state_change, a.usename, coalesce(a.application_name, ''),
  extract(epoch FROM clock_timestamp() - a.state_change)::float,
  r.rolsuper OR r.rolreplication OR a.usename = %(backup)s OR a.application_name LIKE 'ops %%',
  pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')
FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = %(database)s AND a.backend_type = 'client backend' AND a.state = 'idle' AND a.pid <> pg_backend_pid()
  AND a.state_change < clock_timestamp() - make_interval(secs => %(seconds)s)
ORDER BY a.state_change
"""
_HIDDEN: Final = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usesysid IS NOT NULL AND state IS NULL"
# Looked at once more in the statement that ends it: a session that has begun to work since is left alone.
_END: Final = """
SELECT {ended} FROM pg_stat_activity
WHERE pid = %s AND backend_start = %s AND state = 'idle' AND state_change = %s
"""
_GONE_MILLISECONDS: Final = 5000


@dataclass(frozen=True, slots=True)
class Session:
    """An idle session; ``idle`` in seconds.

    ``spared`` tells that it is never ended, ``permitted`` that this login may end it.
    """

    pid: int
    started: datetime
    idle_since: datetime
    user: str
    application: str
    idle: float
    spared: bool
    permitted: bool


def run(settings: OpsSettings, *, older_than: float | None, dry_run: bool) -> Outcome:
    """End what has been idle for longer than ``older_than`` seconds, 30 min unless given."""
    limit = thresholds.IDLE_CONNECTION_AGE.value if older_than is None else older_than
    target = settings.postgres
    access = postgres.Access.of(target, target.reaper)
    with postgres.connect(access, target.database, application="ops reap-idle") as connection:
        values = {"database": target.database, "backup": target.backup.user, "seconds": limit}
        found = [Session(*row) for row in connection.execute(_OLD, values).fetchall()]
        hidden = connection.execute(_HIDDEN, (target.database,)).fetchone()
        due = [session for session in found if session.permitted and not session.spared]
        ended = due if dry_run else [session for session in due if _end(connection, session)]
        stuck = [] if dry_run else [session for session in due if session not in ended and _lives(connection, session)]
    for session in stuck:
        log.warning("an idle session does not end", pid=session.pid, user=session.user)
    data: dict[str, object] = {
        "database": target.database,
        "dry_run": dry_run,
        "limit_seconds": limit,
        "ended": len(ended),
        "by_client": grouped(ended),
        "spared": sum(session.spared for session in found),
        "not_permitted": sum(not session.permitted and not session.spared for session in found),
        "hidden": hidden[0] if hidden else 0,
        "stuck": len(stuck),
    }
    return Outcome(data, lambda screen: _show(screen, data, ended), Exit.TEMPORARY if stuck else Exit.DONE)


def grouped(sessions: Iterable[Session]) -> list[dict[str, object]]:
    """How many by user and application, the most first."""
    groups: defaultdict[tuple[str, str], list[Session]] = defaultdict(list)
    for session in sessions:
        groups[session.user, session.application].append(session)
    return [
        {
            "user": user,
            "application": application,
            "count": len(members),
            "oldest_seconds": round(max(session.idle for session in members)),
        }
        for (user, application), members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _end(connection: psycopg.Connection, session: Session) -> bool:
    waits = connection.info.server_version >= 140000
    ended = f"pg_terminate_backend(pid, {_GONE_MILLISECONDS})" if waits else "pg_terminate_backend(pid)"
    values = (session.pid, session.started, session.idle_since)
    row = connection.execute(_END.format(ended=ended).encode(), values).fetchone()
    return row is not None and bool(row[0])


def _lives(connection: psycopg.Connection, session: Session) -> bool:
    values = (session.pid, session.started, session.idle_since)
    return connection.execute(_END.format(ended="true").encode(), values).fetchone() is not None


def _show(screen: Screen, data: dict[str, object], ended: Sequence[Session]) -> None:
    verb = "Would end" if data["dry_run"] else "Ended"
    limit = duration(float(str(data["limit_seconds"])))
    screen.line(f"{verb} {len(ended)} sessions of {data['database']} that were idle for more than {limit}.")
    for group in grouped(ended):
        line = f"  {group['count']}  {group['user']}  {group['application'] or '(no application name)'}"
        screen.line(line)
    for key, meaning in (
        ("spared", "old enough, and never ended: superusers, replication, backups, ops itself"),
        ("not_permitted", "old enough, and not this login's to end"),
        ("hidden", "of other users: this login cannot see what they do"),
        ("stuck", "told to end and still there; run again"),
    ):
        if data[key]:
            screen.line(f"  {data[key]}  {meaning}")
