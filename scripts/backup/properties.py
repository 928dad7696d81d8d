"""Gives a fresh database the properties of the one that was saved: a dump of one database carries none of them."""

from __future__ import annotations

from collections.abc import Sequence

from scripts import lazy
from scripts.backup import roles
from scripts.backup.postgres_model import DatabaseFacts, Subscription
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import UsageError


def creation(name: str, facts: DatabaseFacts) -> lazy.sql.Composed:
    """``CREATE DATABASE`` with what cannot be changed afterwards."""
    statement = lazy.sql.SQL(
        "CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}"
    ).format(lazy.sql.Identifier(name), lazy.sql.Identifier(facts.owner), facts.encoding, facts.collate, facts.ctype)
    if facts.provider == "i":
        statement += lazy.sql.SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}").format(facts.locale or "")
        if facts.icu_rules is not None:
            statement += lazy.sql.SQL(" ICU_RULES {}").format(facts.icu_rules)
    elif facts.provider == "b":
        statement += lazy.sql.SQL(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(facts.locale or "C")
    return statement


def apply(admin: lazy.psycopg.Connection, name: str, facts: DatabaseFacts) -> None:
    """Give the database ``name`` rights, settings and limits; its comment and template flag come with the swap.

    They come after the content: a setting such as ``role`` or ``default_transaction_read_only`` would rule the sessions
    that fill it.

    Raises:
        UsageError: the server refuses one.
    """
    database = lazy.sql.Identifier(name)
    statements: list[lazy.sql.Composed] = []
    if facts.rights is not None:
        owner = lazy.sql.Identifier(facts.owner)
        statements.append(lazy.sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(database, owner))
        for grant in facts.rights:
            statement = lazy.sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                lazy.sql.SQL(grant.privilege),
                database,
                lazy.sql.SQL("PUBLIC") if grant.grantee is None else lazy.sql.Identifier(grant.grantee),
                lazy.sql.SQL(" WITH GRANT OPTION" if grant.grantable else ""),
            )
            statements.append(statement)
    for given in facts.settings:
        where = lazy.sql.SQL("DATABASE {}").format(database)
        if given.role is not None:
            where = lazy.sql.SQL("ROLE {} IN DATABASE {}").format(lazy.sql.Identifier(given.role), database)
        statements.append(roles.setting(where, given))
    limit = lazy.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    statements.append(limit.format(database, facts.connection_limit))
    for statement in statements:
        try:
            admin.execute(statement)
        except lazy.psycopg.Error as error:
            words = statement.as_string(admin).replace(f'"{name}"', facts.name)
            raise UsageError(f"{words}: {postgres.explain(error)}; nothing has changed") from None


def subscribe(access: Access, name: str, subscriptions: Sequence[Subscription]) -> None:
    """Make the subscriptions, disabled and without a connection: that holds a secret, which no backup has."""
    if not subscriptions:
        return
    with postgres.connect(access, name, application="ops restore", doing="subscriptions") as session:
        for each in subscriptions:
            statement = lazy.sql.SQL(
                "CREATE SUBSCRIPTION {} CONNECTION '' PUBLICATION {} WITH (connect = false, slot_name = NONE)"
            ).format(
                lazy.sql.Identifier(each.name),
                lazy.sql.SQL(", ").join(lazy.sql.Identifier(publication) for publication in each.publications),
            )
            session.execute(statement)
