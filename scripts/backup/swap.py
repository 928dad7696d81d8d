"""Puts a restored database in the place of the old one, in one transaction.

Whoever connects meanwhile waits for the transaction: there is no moment at which the name leads nowhere, and a
process that is killed at any point leaves the old database in place.
"""

from __future__ import annotations

import threading
from typing import Final

from scripts import lazy
from scripts.backup.fresh import KEPT_MARK
from scripts.backup.postgres_model import DatabaseFacts
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import TemporaryError

_CLEAR_SECONDS: Final = 0.05
_LOCK_SECONDS: Final = 30

_TERMINATE: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()"
)
_COMMENT: Final = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"


def swap(access: Access, facts: DatabaseFacts, fresh: str, database: str, kept: str | None) -> None:
    """Rename ``database`` to ``kept`` (None: there is no old one) and ``fresh`` to ``database``.

    The restored one gets the comment that it had and is a template if it was one; what is kept is marked as such.

    Sessions of both are ended; those that connect meanwhile wait.

    Raises:
        TemporaryError: something keeps hold of a database, such as a prepared transaction. Nothing has changed.
    """
    busy = [name for name in (database if kept else None, fresh) if name]
    with (
        postgres.connect(
            access, postgres.MAINTENANCE_DATABASE, application="ops restore swap", autocommit=False
        ) as mover,
        postgres.connect(access, postgres.MAINTENANCE_DATABASE, application="ops restore swap") as clearer,
        postgres.translated(f"swap of {database}"),
    ):
        failure: list[Exception] = []
        statements = [
            *(_put_aside(clearer, database, kept) if kept else []),
            _comment(fresh, facts.comment),
            _template(fresh, template=facts.template),
            _rename(fresh, database),
        ]

        def move() -> None:
            try:
                mover.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'".encode())
                for statement in statements:
                    mover.execute(statement)
                mover.commit()
            except Exception as error:  # noqa: BLE001 - raised again by the main thread
                failure.append(error)

        # RENAME locks the name against newcomers and then waits for the sessions that are left: those that slipped in
        # before the lock are ended while it waits.
        thread = threading.Thread(target=move, name="swap", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                clearer.execute(_TERMINATE, (busy,))
                thread.join(_CLEAR_SECONDS)
        except BaseException:
            mover.cancel_safe(timeout=5)
            thread.join()
            if failure:
                raise
            # The commit was faster than the signal: the swap is done and must be reported as done.
        if failure:
            _explain(failure[0], database)


def _explain(error: Exception, database: str) -> None:
    if isinstance(error, lazy.psycopg.errors.ObjectInUse):
        detail = error.diag.message_detail or "sessions do not end"
        raise TemporaryError(f"swap of {database}: {postgres.explain(error)}: {detail}; nothing has changed") from None
    raise error


def _rename(old: str, new: str) -> lazy.sql.Composed:
    return lazy.sql.SQL("ALTER DATABASE {} RENAME TO {}").format(lazy.sql.Identifier(old), lazy.sql.Identifier(new))


def _comment(name: str, comment: str | None) -> lazy.sql.Composed:
    return lazy.sql.SQL("COMMENT ON DATABASE {} IS {}").format(lazy.sql.Identifier(name), comment)


def _template(name: str, *, template: bool) -> lazy.sql.Composed:
    return lazy.sql.SQL("ALTER DATABASE {} IS_TEMPLATE {}").format(lazy.sql.Identifier(name), template)


def _put_aside(clearer: lazy.psycopg.Connection, database: str, kept: str) -> list[lazy.sql.Composed]:
    row = clearer.execute(_COMMENT, (database,)).fetchone()
    before = f": {row[0]}" if row and row[0] else ""
    return [
        _comment(database, f"{KEPT_MARK}, was {database}{before}"),
        _template(database, template=False),
        _rename(database, kept),
    ]
