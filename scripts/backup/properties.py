"""Gives a fresh database the properties of the one that was saved: a dump of one database carries none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, LiteralString

from scripts import lazy
from scripts.backup import roles
from scripts.backup.postgres_model import DatabaseFacts, Subscription
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import TemporaryError, UsageError

_ANY_OWNER: Final = 160000
# How an event trigger is switched on, by the letter that the catalogue has for it.
_ENABLE: Final[Mapping[str, LiteralString]] = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def tablespaces(admin: lazy.psycopg.Connection) -> frozenset[str]:
    """Every tablespace of the server."""
    return frozenset(str(row[0]) for row in admin.execute("SELECT spcname FROM pg_tablespace").fetchall())


def creation(name: str, facts: DatabaseFacts, tablespace: str | None) -> lazy.sql.Composed:
    """``CREATE DATABASE`` with what cannot be changed afterwards; ``tablespace`` None is that of the server."""
    statement = lazy.sql.SQL(
        "CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}"
    ).format(lazy.sql.Identifier(name), lazy.sql.Identifier(facts.owner), facts.encoding, facts.collate, facts.ctype)
    if facts.provider == "i":
        statement += lazy.sql.SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}").format(facts.locale or "")
        if facts.icu_rules is not None:
            statement += lazy.sql.SQL(" ICU_RULES {}").format(facts.icu_rules)
    elif facts.provider == "b":
        statement += lazy.sql.SQL(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(facts.locale or "C")
    if tablespace is not None:
        statement += lazy.sql.SQL(" TABLESPACE {}").format(lazy.sql.Identifier(tablespace))
    return statement


def set_defaults(admin: lazy.psycopg.Connection, name: str, facts: DatabaseFacts) -> None:
    """Give the database ``name`` its settings, which the content is made under: a time zone rules casts of dates.

    What would keep its own sessions from working, such as ``default_transaction_read_only``, each of them sets itself.

    Raises:
        UsageError: the server refuses one.
    """
    where = lazy.sql.SQL("DATABASE {}").format(lazy.sql.Identifier(name))
    _run(admin, name, facts, [roles.setting(where, given) for given in facts.settings if given.role is None])


def apply(admin: lazy.psycopg.Connection, name: str, facts: DatabaseFacts) -> None:
    """Give the database ``name`` rights, settings of roles and limits.

    They come after the content: its rights and its limit would shut out the sessions that fill it. Its comment and
    template flag come with the swap.

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
        if given.role is not None:
            where = lazy.sql.SQL("ROLE {} IN DATABASE {}").format(lazy.sql.Identifier(given.role), database)
            statements.append(roles.setting(where, given))
    limit = lazy.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    statements.append(limit.format(database, facts.connection_limit))
    _run(admin, name, facts, statements)


def _run(
    admin: lazy.psycopg.Connection, name: str, facts: DatabaseFacts, statements: Sequence[lazy.sql.Composed]
) -> None:
    for statement in statements:
        try:
            admin.execute(statement)
        except lazy.psycopg.Error as error:
            words = statement.as_string(admin).replace(f'"{name}"', facts.name)
            kind = TemporaryError if postgres.passing(error) else UsageError
            raise kind(f"{words}: {postgres.explain(error)}; nothing has changed") from None


def subscribe(access: Access, name: str, subscriptions: Sequence[Subscription]) -> None:
    """Make the subscriptions, disabled and without a connection: that holds a secret, which no backup has.

    A subscription whose owner may own none on this server stays this superuser's.
    """
    if not subscriptions:
        return
    with postgres.connect(access, name, application="ops restore", doing="subscriptions") as session:
        # The event triggers of the database are there: this superuser is not to run them.
        enabled = session.execute("SELECT evtname, evtenabled FROM pg_event_trigger WHERE evtenabled <> 'D'").fetchall()
        triggers = [(lazy.sql.Identifier(name), lazy.sql.SQL(_ENABLE[state])) for name, state in enabled]
        change = lazy.sql.SQL("ALTER EVENT TRIGGER {} {}")
        with session.transaction():
            for trigger, _ in triggers:
                session.execute(change.format(trigger, lazy.sql.SQL("DISABLE")))
            for each in subscriptions:
                for statement in _subscription(session, each):
                    session.execute(statement)
            for trigger, state in triggers:
                session.execute(change.format(trigger, state))


def _subscription(session: lazy.psycopg.Connection, each: Subscription) -> Iterator[lazy.sql.Composed]:
    subscription = lazy.sql.SQL("SUBSCRIPTION {}").format(lazy.sql.Identifier(each.name))
    options = [lazy.sql.SQL("connect = false, slot_name = NONE")]
    options += [
        lazy.sql.SQL("{} = {}").format(lazy.sql.Identifier(name), lazy.sql.Literal(value))
        for name, value in each.options.items()
    ]
    yield lazy.sql.SQL("CREATE {} CONNECTION '' PUBLICATION {} WITH ({})").format(
        subscription,
        lazy.sql.SQL(", ").join(lazy.sql.Identifier(publication) for publication in each.publications),
        lazy.sql.SQL(", ").join(options),
    )
    if each.comment is not None:
        yield lazy.sql.SQL("COMMENT ON {} IS {}").format(subscription, each.comment)
    if each.owner is not None and _may_own(session, each.owner):
        yield lazy.sql.SQL("ALTER {} OWNER TO {}").format(subscription, lazy.sql.Identifier(each.owner))


def _may_own(session: lazy.psycopg.Connection, owner: str) -> bool:
    """Whether a role may own a subscription: before PostgreSQL 16 a superuser alone."""
    row = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (owner,)).fetchone()
    return row is not None and bool(row[0] or session.info.server_version >= _ANY_OWNER)
