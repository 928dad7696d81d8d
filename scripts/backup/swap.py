"""Puts a restored database in the place of the old one, in one transaction.

Whoever connects meanwhile waits for the transaction: there is no moment at which the name leads nowhere, and a
process that is killed at any point leaves the old database in place.
"""

from __future__ import annotations

import threading
from typing import Final

from scripts import lazy
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import TemporaryError

_CLEAR_SECONDS: Final = 0.05
_LOCK_SECONDS: Final = 30

_TERMINATE: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()"
)
_GRANTS: Final = """
SELECT g.grantee, CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END, g.privilege_type, g.is_grantable
FROM pg_database d, aclexplode(d.datacl) g WHERE d.datname = %s AND g.grantee <> d.datdba
"""
_SETTINGS: Final = """
SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END, split_part(c, '=', 1), substr(c, strpos(c, '=')
+ 1) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE d.datname = %s
"""
_COMMENT: Final = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"


def copy_properties(access: Access, old: str, new: str) -> None:
    """Give ``new`` the grants, settings and comment of ``old``: a dump of one database does not carry them."""
    with (
        postgres.connect(
            access, postgres.MAINTENANCE_DATABASE, application="ops restore", doing=f"properties of {old}"
        ) as connection,
        connection.transaction(),
    ):
        target = lazy.sql.Identifier(new)
        explicit = connection.execute(
            "SELECT datacl IS NOT NULL FROM pg_database WHERE datname = %s", (old,)
        ).fetchone()
        if explicit and explicit[0]:
            connection.execute(lazy.sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(target))
        for grantee, role, privilege, grantable in connection.execute(_GRANTS, (old,)).fetchall():
            whom = lazy.sql.Identifier(role) if grantee else lazy.sql.SQL("PUBLIC")
            option = lazy.sql.SQL(" WITH GRANT OPTION" if grantable else "")
            connection.execute(
                lazy.sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(lazy.sql.SQL(privilege), target, whom, option)
            )
        for role, name, value in connection.execute(_SETTINGS, (old,)).fetchall():
            _set(connection, target, role, name, value)
        comment = connection.execute(_COMMENT, (old,)).fetchone()
        if comment and comment[0]:
            connection.execute(lazy.sql.SQL("COMMENT ON DATABASE {} IS {}").format(target, comment[0]))


def _set(
    connection: lazy.psycopg.Connection, target: lazy.sql.Identifier, role: str | None, name: str, value: str
) -> None:
    # FROM CURRENT: a list like search_path, written as one literal, would become one quoted name.
    connection.execute("SELECT set_config(%s, %s, true)", (name, value))
    whom = lazy.sql.SQL("DATABASE {}").format(target)
    if role is not None:
        whom = lazy.sql.SQL("ROLE {} IN DATABASE {}").format(lazy.sql.Identifier(role), target)
    setting = lazy.sql.SQL(".").join(lazy.sql.Identifier(part) for part in name.split("."))
    connection.execute(lazy.sql.SQL("ALTER {} SET {} FROM CURRENT").format(whom, setting))


def swap(access: Access, fresh: str, database: str, kept: str | None) -> None:
    """Rename ``database`` to ``kept`` (None: there is no old one) and ``fresh`` to ``database``.

    Sessions of both are ended; those that connect meanwhile wait.

    Raises:
        TemporaryError: something keeps hold of a database, such as a prepared transaction. Nothing has changed.
    """
    busy = [name for name in (database if kept else None, fresh) if name]
    statements = [_rename(database, kept)] if kept else []
    statements.append(_rename(fresh, database))
    with (
        postgres.connect(
            access, postgres.MAINTENANCE_DATABASE, application="ops restore swap", autocommit=False
        ) as mover,
        postgres.connect(access, postgres.MAINTENANCE_DATABASE, application="ops restore swap") as clearer,
        postgres.translated(f"swap of {database}"),
    ):
        failure: list[Exception] = []

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
