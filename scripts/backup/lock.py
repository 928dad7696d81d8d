"""One run at a time: an advisory lock of PostgreSQL.

It belongs to a session, so it ends with the process that took it, however that ends; a client that vanished with its
machine loses it when the server's keepalives find out, within about a minute. It is taken in the maintenance
database, because advisory locks are a database's own and a restore replaces the database.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import IntEnum

from scripts import lazy
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import TemporaryError

_HOLDER = """
SELECT coalesce(a.application_name, '?'), coalesce(host(a.client_addr), 'this host'),
a.backend_start::timestamptz(0)::text FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = hashtext(%s)::bigint & 4294967295 AND l.granted
"""


class Purpose(IntEnum):
    """What is locked; the numbers are arbitrary and fixed for ever."""

    BACKUP = 0x0B5001
    RESTORE = 0x0B5002
    MAINTENANCE = 0x0B5003


@contextmanager
def held(access: Access, database: str, purpose: Purpose) -> Generator[Callable[[], None]]:
    """Hold the lock while the block runs; the value asserts that it is still held.

    Raises:
        TemporaryError: another run holds it, or (from the assertion) the server has ended the session.
    """
    name = purpose.name.lower()
    # An open transaction: what ends idle sessions leaves it alone, and without a snapshot it holds back no vacuum.
    with postgres.connect(
        access, postgres.MAINTENANCE_DATABASE, application=f"ops {name} lock", autocommit=False
    ) as connection:
        with postgres.translated(f"lock of the {name} of {database}"):
            if not _value(connection, "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", (int(purpose), database)):
                raise TemporaryError(
                    f"another {name} of {database} is running ({_holder(connection, purpose, database)})"
                )

        def assert_held() -> None:
            with postgres.translated(f"the lock of the {name} of {database} was lost"):
                connection.execute("SELECT 1")

        yield assert_held


def _holder(connection: lazy.psycopg.Connection, purpose: Purpose, database: str) -> str:
    row = connection.execute(_HOLDER, (int(purpose), database)).fetchone()
    return f"{row[0]} from {row[1]} since {row[2]}" if row else "it has just ended; run again"


def _value(connection: lazy.psycopg.Connection, query: str, values: tuple[object, ...]) -> object:
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]
