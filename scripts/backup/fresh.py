"""The fresh database into which a backup is restored: nobody sees it before it is proven, and a failure leaves none."""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from scripts import log
from scripts.backup.manifest import DatabaseFacts
from scripts.clients import postgres
from scripts.exits import UsageError

# PostgreSQL cuts longer names off.
NAME_BYTES: Final = 63
_LONGEST_SUFFIX: Final = len("_restore_00000000")


def derived(database: str, suffix: str) -> str:
    """A name made of a database's own and ``suffix`` that PostgreSQL does not cut."""
    return f"{database.encode()[: NAME_BYTES - len(suffix)].decode(errors='ignore')}{suffix}"


def is_name(database: str, name: str) -> bool:
    """Whether ``name`` is that of a fresh database made for ``database``."""
    start = re.escape(derived(database, "_" * _LONGEST_SUFFIX)[:-_LONGEST_SUFFIX])
    return re.fullmatch(rf"{start}_restore_[0-9a-f]{{8}}", name) is not None


def names(admin: psycopg.Connection) -> set[str]:
    """Every database of the server."""
    return {str(row[0]) for row in admin.execute("SELECT datname FROM pg_database").fetchall()}


def drop_stale(admin: psycopg.Connection, database: str) -> list[str]:
    """Drop what killed runs left behind; the caller holds the lock, so nobody is filling them. Their names."""
    stale = sorted(name for name in names(admin) if is_name(database, name))
    for name in stale:
        log.warning("dropping what an earlier run left behind", database=name)
        _drop(admin, name)
    return stale


@contextmanager
def created(admin: psycopg.Connection, database: str, facts: DatabaseFacts, owner: str) -> Generator[str]:
    """An empty database like the one that was saved; dropped when the block raises.

    Raises:
        UsageError: the server does not know its locale, or the owner does not exist.
    """
    name = derived(database, f"_restore_{secrets.token_hex(4)}")
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
        sql.Identifier(name), sql.Identifier(owner), facts.encoding, facts.collate, facts.ctype
    )
    try:
        admin.execute(statement)
    except (
        psycopg.errors.WrongObjectType,
        psycopg.errors.UndefinedObject,
        psycopg.errors.InvalidParameterValue,
    ) as error:
        raise UsageError(f"cannot create a database like {facts.name}: {postgres.explain(error)}") from None
    try:
        yield name
    except BaseException:
        try:
            _drop(admin, name)
        except psycopg.Error as error:
            log.warning("could not drop; the next restore does", database=name, reason=postgres.explain(error))
        raise


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
