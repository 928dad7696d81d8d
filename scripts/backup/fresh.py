"""The fresh database into which a backup is restored: nobody sees it before it is proven, and a failure leaves none.

One that a restore fills is called ``<database>_restore_<8 hexadecimal digits>``, one that only verifies
``<database>_verify_...``: the name says who may drop it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal

from scripts import lazy, log
from scripts.backup.manifest import DatabaseFacts
from scripts.clients import postgres
from scripts.exits import UsageError

# PostgreSQL cuts longer names off.
NAME_BYTES: Final = 63
_KEPT_FORMAT: Final = "%Y%m%dt%H%M%Sz"


def derived(database: str, suffix: str) -> str:
    """A name made of a database's own and ``suffix`` that PostgreSQL does not cut."""
    return f"{database.encode()[: NAME_BYTES - len(suffix)].decode(errors='ignore')}{suffix}"


Purpose = Literal["restore", "verify"]


def is_name(database: str, name: str, purpose: Purpose = "restore") -> bool:
    """Whether ``name`` is that of a fresh database made for ``database``."""
    suffix = f"_{purpose}_"
    start = re.escape(derived(database, suffix + "0" * 8)[: -len(suffix) - 8])
    return re.fullmatch(rf"{start}{suffix}[0-9a-f]{{8}}", name) is not None


def kept_name(database: str, moment: datetime) -> str:
    """The name under which a restore keeps the database that it replaces."""
    return derived(database, f"_before_{moment.astimezone(UTC):{_KEPT_FORMAT}}")


def replaced_at(database: str, name: str) -> datetime | None:
    """When a restore put the database ``name`` aside; None where it is no such database."""
    match = re.fullmatch(r".*_before_(\d{8}t\d{6}z)", name, re.DOTALL)
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[1], _KEPT_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment if name == kept_name(database, moment) else None


def now(admin: lazy.psycopg.Connection) -> datetime:
    """The server's own time: what a restore put aside is dated by it and ends by it."""
    row = admin.execute("SELECT clock_timestamp()").fetchone()
    return row[0] if row else datetime.now(UTC)


def names(admin: lazy.psycopg.Connection) -> set[str]:
    """Every database of the server."""
    return {str(row[0]) for row in admin.execute("SELECT datname FROM pg_database").fetchall()}


def drop_stale(admin: lazy.psycopg.Connection, database: str, purpose: Purpose = "restore") -> list[str]:
    """Drop what killed runs left behind; the caller holds the lock, so nobody is filling them. Their names."""
    stale = sorted(name for name in names(admin) if is_name(database, name, purpose))
    for name in stale:
        log.warning("dropping what an earlier run left behind", database=name)
        drop(admin, name)
    return stale


@contextmanager
def created(
    admin: lazy.psycopg.Connection, database: str, facts: DatabaseFacts, owner: str, purpose: Purpose = "restore"
) -> Generator[str]:
    """An empty database like the one that was saved; dropped when the block raises, and after a ``verify`` always.

    Raises:
        UsageError: the server does not know its locale, or the owner does not exist.
    """
    name = derived(database, f"_{purpose}_{secrets.token_hex(4)}")
    statement = lazy.sql.SQL(
        "CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}"
    ).format(
        lazy.sql.Identifier(name),
        lazy.sql.Identifier(owner),
        facts.encoding,
        facts.collate,
        facts.ctype,
    )
    try:
        admin.execute(statement)
    except (
        lazy.psycopg.errors.WrongObjectType,
        lazy.psycopg.errors.UndefinedObject,
        lazy.psycopg.errors.InvalidParameterValue,
    ) as error:
        raise UsageError(f"cannot create a database like {facts.name}: {postgres.explain(error)}") from None
    keep = False
    try:
        yield name
        keep = purpose == "restore"
    finally:
        if not keep:
            _try_to_drop(admin, name, purpose)


def _try_to_drop(admin: lazy.psycopg.Connection, name: str, purpose: Purpose) -> None:
    try:
        drop(admin, name)
    except lazy.psycopg.Error as error:
        log.warning(f"could not drop; the next {purpose} does", database=name, reason=postgres.explain(error))


def drop(admin: lazy.psycopg.Connection, name: str) -> None:
    """Drop a database, sessions and all."""
    admin.execute(lazy.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(lazy.sql.Identifier(name)))
