"""The fresh database into which a backup is restored: nobody sees it before it is proven, and a failure leaves none.

It is called ``<database>_restore_<16 hexadecimal digits>``, of which the last eight follow from the others: a name that
people choose, with a date for example, is none of these. No later mark would do, because a run that is killed while
the server creates the database leaves it without one. A database that a restore put aside is marked in its comment.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from scripts import lazy, log
from scripts.backup import properties
from scripts.backup.postgres_model import DatabaseFacts
from scripts.clients import postgres
from scripts.exits import UsageError

# PostgreSQL cuts longer names off.
NAME_BYTES: Final = 63
_SUFFIX: Final = "_restore_"
DIGITS: Final = 8
# Its comment begins with this; the comment that the database had before follows.
KEPT_MARK: Final = "put aside by ops restore"
_KEPT_FORMAT: Final = "%Y%m%dt%H%M%Sz"


def derived(database: str, suffix: str) -> str:
    """A name made of a database's own and ``suffix`` that PostgreSQL does not cut."""
    return f"{database.encode()[: NAME_BYTES - len(suffix)].decode(errors='ignore')}{suffix}"


def new_name(database: str, digits: str) -> str:
    """The name of a fresh database for ``database`` with these eight random digits."""
    check = hashlib.sha256(f"{database} {digits}".encode()).hexdigest()[:DIGITS]
    return derived(database, f"{_SUFFIX}{digits}{check}")


def is_name(database: str, name: str) -> bool:
    """Whether ``name`` is one that ``ops`` has given to a fresh database made for ``database``."""
    return name == new_name(database, name[-2 * DIGITS : -DIGITS])


def is_name_of_any(name: str) -> bool:
    """Whether ``name`` is one that ``ops`` has given to something made for a restore, of a database of any name."""
    return is_name(name[: -len(_SUFFIX) - 2 * DIGITS], name)


def kept_name(database: str, moment: datetime) -> str:
    """The name under which a restore keeps the database that it replaces."""
    return derived(database, f"_before_{moment.astimezone(UTC):{_KEPT_FORMAT}}")


def replaced_at(database: str, name: str) -> datetime | None:
    """When a restore put the database ``name`` aside; None where it is no such database."""
    match = re.fullmatch(r".*_before_(\d{8}t\d{6}z)", name, re.DOTALL | re.ASCII)
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


def put_aside(admin: lazy.psycopg.Connection) -> set[str]:
    """The databases that a restore has marked as put aside."""
    found = admin.execute(
        "SELECT datname FROM pg_database WHERE starts_with(shobj_description(oid, 'pg_database'), %s)", (KEPT_MARK,)
    )
    return {str(row[0]) for row in found.fetchall()}


def drop_stale(admin: lazy.psycopg.Connection, database: str) -> None:
    """Drop what killed runs left behind; the caller holds the lock, so that no run fills them."""
    start = new_name(database, "0" * DIGITS)[: -2 * DIGITS]
    for name in sorted(name for name in names(admin) if name.startswith(start)):
        if is_name(database, name):
            log.warning("dropping what an earlier run left behind", database=name)
            drop(admin, name)
        else:
            log.warning("a database looks like one of ops, which did not make it: it stays", database=name)


@contextmanager
def created(admin: lazy.psycopg.Connection, facts: DatabaseFacts) -> Generator[str]:
    """An empty database with the properties of ``facts``; dropped when the block raises.

    Raises:
        UsageError: the server does not know its locale, or the owner does not exist.
    """
    name = new_name(facts.name, secrets.token_hex(DIGITS // 2))
    try:
        _create(admin, name, facts)
        yield name
    except BaseException:
        _try_to_drop(admin, name)
        raise


def _create(admin: lazy.psycopg.Connection, name: str, facts: DatabaseFacts) -> None:
    try:
        tablespace = facts.tablespace if facts.tablespace in properties.tablespaces(admin) else None
        admin.execute(properties.creation(name, facts, tablespace))
    except (
        lazy.psycopg.errors.WrongObjectType,
        lazy.psycopg.errors.UndefinedObject,
        lazy.psycopg.errors.InvalidParameterValue,
    ) as error:
        raise UsageError(f"cannot create a database like {facts.name}: {postgres.explain(error)}") from None


def _try_to_drop(admin: lazy.psycopg.Connection, name: str) -> None:
    try:
        drop(admin, name)
    except lazy.psycopg.Error as error:
        log.warning("could not drop; the next restore does", database=name, reason=postgres.explain(error))


def drop(admin: lazy.psycopg.Connection, name: str) -> None:
    """Drop a database, sessions and all."""
    admin.execute(lazy.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(lazy.sql.Identifier(name)))
