"""Roles that stand in for the owners of what is restored, because a superuser would run their code as superuser.

A check, a default, an index, a cast or a view has code of its owner, and PostgreSQL runs it with the rights of the
session that restores it. So a login of its own does that, which is no superuser and ends with the restore: a member of
the owners. ``SET ROLE`` in a superuser's session would be none, for the code can reset it.

An owner that is a superuser, or may become one or start programs of the server, has a stand-in apart. That one makes
the objects as its own, without any right of the owner, and they are given to the owner at the end.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, LiteralString

from scripts import lazy, log
from scripts.backup import fresh
from scripts.backup.entries import Entry, listed
from scripts.clients import postgres
from scripts.clients.postgres import Access

_SUPERUSERS: Final = "SELECT textsend(rolname::text) FROM pg_roles WHERE rolsuper"
_ROLES: Final = "SELECT textsend(rolname::text) FROM pg_roles"
# In the order of their power: superusers are the last.
_POWERFUL: Final = """
SELECT textsend(r.rolname::text) FROM pg_roles r WHERE EXISTS (
  SELECT FROM pg_roles p WHERE pg_has_role(r.oid, p.oid, 'MEMBER') AND (p.rolsuper OR p.rolcreaterole OR p.rolname IN (
    'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')))
ORDER BY r.rolsuper, r.rolname
"""
_TABLESPACES: Final = "SELECT spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1"
# What a superuser would not be asked for: names are looked up in schemas, owners make their objects in them.
_SCHEMA_RIGHTS: Final = """
SELECT p.privilege, n.nspname, r.rolname
FROM pg_namespace n, unnest(%s::text[]) r(rolname), unnest(ARRAY['USAGE', 'CREATE']) p(privilege)
WHERE n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
  AND NOT has_schema_privilege(r.rolname, n.oid, p.privilege)
ORDER BY 1, 2, 3
"""
# By their names as SQL writes them.
_CLOSED_SCHEMAS: Final = """
SELECT n.nspname, r.rolname
FROM pg_namespace n, pg_roles r
WHERE r.rolname = ANY(ARRAY(SELECT (parse_ident(g))[1] FROM unnest(%s::text[]) g))
  AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
  AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
ORDER BY 1, 2
"""
# Rows, counters and foreign keys of tables whose owner is another or has taken rights from itself. Triggers only where
# owners have the table, or the one that it is a partition of: a trigger of it is made for each partition. A
# materialized view of an owner that is kept apart reads what it may.
_RELATION_RIGHTS: Final = """
SELECT p.privilege || CASE c.relkind WHEN 'S' THEN ' ON SEQUENCE' ELSE ' ON TABLE' END, n.nspname, c.relname, r.rolname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
  unnest(%s::text[], %s::boolean[]) r(rolname, reads),
  (VALUES ('S', 'UPDATE'), ('r', 'INSERT'), ('rp', 'REFERENCES'), ('rp', 'TRIGGER'), ('rpvmf', 'SELECT'))
    p(kinds, privilege)
WHERE strpos(p.kinds, c.relkind::text) > 0 AND (p.privilege <> 'SELECT' OR r.reads)
  AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
  AND (p.privilege <> 'TRIGGER' OR pg_has_role(r.rolname, c.relowner, 'USAGE') OR EXISTS (
    SELECT FROM pg_partition_ancestors(c.oid) a JOIN pg_class t ON t.oid = a.relid
    WHERE pg_has_role(r.rolname, t.relowner, 'USAGE')))
  AND NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(r.rolname, c.oid, 'UPDATE')
    ELSE has_table_privilege(r.rolname, c.oid, p.privilege) END
ORDER BY 2, 3, 4, 1
"""
# Such a function has the rights of the session that calls it: to call it gives none.
_FUNCTION_RIGHTS: Final = """
SELECT f.oid::regprocedure::text, r.rolname
FROM pg_proc f JOIN pg_language l ON l.oid = f.prolang, unnest(%s::text[]) r(rolname)
WHERE f.oid >= 16384 AND l.lanpltrusted AND NOT f.prosecdef AND f.prokind IN ('f', 'w')
  AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
  AND NOT has_function_privilege(r.rolname, f.oid, 'EXECUTE')
ORDER BY 1, 2
"""
_READ_ALL: Final = "pg_read_all_data"


_TYPE_RIGHTS: Final = """
SELECT n.nspname, t.typname, r.rolname
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace, unnest(%s::text[]) r(rolname)
WHERE t.typacl IS NOT NULL AND NOT has_type_privilege(r.rolname, t.oid, 'USAGE') ORDER BY 1, 2, 3
"""
_SERVER_RIGHTS: Final = """
SELECT s.srvname, r.rolname FROM pg_foreign_server s, unnest(%s::text[]) r(rolname)
WHERE NOT has_server_privilege(r.rolname, s.oid, 'USAGE') ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A login; ``owner`` is the role to which its objects are given, None where it makes them as a member of theirs."""

    access: Access
    owner: str | None

    @property
    def name(self) -> str:
        return self.access.user


@dataclass(frozen=True, slots=True)
class Cast:
    """The stand-ins of a restore: ``common`` for most owners, and those that are kept ``apart`` by their owners.

    The ``reader`` only compares: no code has run with its rights where it could change something, its password for
    example. ``bare`` has one for all objects, which stay its own: owners are left out.
    """

    common: StandIn
    apart: Mapping[str, StandIn]
    reader: StandIn
    owners: frozenset[str]
    roles: Mapping[str, str | None]
    superusers: frozenset[str]
    former: frozenset[str]
    bare: bool

    @property
    def present_superusers(self) -> frozenset[str]:
        """The superusers of this server."""
        return self.superusers - self.former

    @property
    def makers(self) -> tuple[StandIn, ...]:
        """Those that restore something, in the order of their power: each has the rights of those before it."""
        return (self.common, *self.apart.values())

    def of(self, entry: Entry) -> StandIn | None:
        """Who restores an entry; None is the superuser."""
        owner = entry.owner(self.roles)
        if entry.needs_superuser(owner, self.superusers):
            return None
        return self.common if owner is None or self.bare else self.apart.get(owner, self.common)


@contextmanager
def present(
    admin: lazy.psycopg.Connection,
    access: Access,
    database: str,
    entries: Collection[Entry],
    former: Collection[str],
    *,
    bare: bool,
) -> Generator[Cast]:
    """The stand-ins of a restore of ``database``; the caller drops them.

    ``former`` are superusers of the backup that the restore has made as other roles: their functions may need one.
    They are dropped where the block raises, which has dropped the database that they have filled.
    """
    cast = _chosen(admin, access, database, entries, former, bare=bare)
    try:
        _create(admin, cast)
        yield cast
    except BaseException:
        _try_to_drop(admin, cast)
        raise


def drop(admin: lazy.psycopg.Connection, cast: Cast) -> None:
    """Drop the stand-ins, which have nothing any more; one whose objects stay its own ends with a throwaway server."""
    if not cast.bare:
        _drop(admin, [each.name for each in (*reversed(cast.makers), cast.reader)])


def drop_stale(admin: lazy.psycopg.Connection, database: str) -> None:
    """Drop what killed runs left behind, after their databases; the caller holds the lock."""
    for name in sorted(postgres.names(admin, _ROLES)):
        if fresh.is_name(database, name):
            log.warning("dropping what an earlier run left behind", role=name)
            _drop(admin, [name])


def allow(session: lazy.psycopg.Connection, cast: Cast) -> tuple[lazy.sql.Composed, ...]:
    """Give what is missing to make objects in the session's database; the statements that take it from owners again."""
    names = [each.name for each in cast.makers]
    lacking = session.execute(_SCHEMA_RIGHTS, ([*names, *sorted(cast.owners)],)).fetchall()
    for privilege, schema, role in lacking:
        session.execute(_on_schema("GRANT {} ON SCHEMA {} TO {}", privilege, schema, role))
    reads = [each.owner is not None for each in cast.makers]
    for right, schema, name, role in session.execute(_RELATION_RIGHTS, (names, reads)).fetchall():
        _grant(session, right, lazy.sql.Identifier(schema, name), role)
    for function, role in session.execute(_FUNCTION_RIGHTS, (names,)).fetchall():
        _grant(session, "EXECUTE ON FUNCTION", lazy.sql.SQL(function), role)
    for schema, name, role in session.execute(_TYPE_RIGHTS, (names,)).fetchall():
        _grant(session, "USAGE ON TYPE", lazy.sql.Identifier(schema, name), role)
    apart = [each.name for each in cast.apart.values()]
    for name, role in session.execute(_SERVER_RIGHTS, (apart,)).fetchall():
        _grant(session, "USAGE ON FOREIGN SERVER", lazy.sql.Identifier(name), role)
    return tuple(
        _on_schema("REVOKE {} ON SCHEMA {} FROM {}", privilege, schema, role)
        for privilege, schema, role in lacking
        if role in cast.owners
    )


def let_in(session: lazy.psycopg.Connection, grantors: Collection[str]) -> tuple[lazy.sql.Composed, ...]:
    """Let ``grantors``, as SQL writes them, into each schema: their grants name what is in it.

    Returns the statements that take it back.
    """
    closed = session.execute(_CLOSED_SCHEMAS, (list(grantors),)).fetchall()
    for schema, role in closed:
        session.execute(_on_schema("GRANT {} ON SCHEMA {} TO {}", "USAGE", schema, role))
    return tuple(_on_schema("REVOKE {} ON SCHEMA {} FROM {}", "USAGE", schema, role) for schema, role in closed)


def settle(session: lazy.psycopg.Connection, cast: Cast, taken_back: Iterable[lazy.sql.Composed]) -> None:
    """Give the objects to their owners, and take every right from the stand-ins in the session's database."""
    if cast.bare:
        return
    for statement in taken_back:
        session.execute(statement)
    for each in cast.makers:
        role = lazy.sql.Identifier(each.name)
        if each.owner is not None:
            session.execute(lazy.sql.SQL("REASSIGN OWNED BY {} TO {}").format(role, lazy.sql.Identifier(each.owner)))
        session.execute(lazy.sql.SQL("DROP OWNED BY {}").format(role))


@contextmanager
def reading(cast: Cast, database: str) -> Generator[lazy.psycopg.Connection]:
    """A session that reads every row of ``database`` and changes nothing."""
    doing = f"counting the rows of {database}"
    with postgres.connect(
        cast.reader.access, database, application="ops restore", doing=doing, autocommit=False
    ) as connection:
        # For the one transaction of the block: a session's default could be set otherwise by what it runs.
        connection.execute("SET TRANSACTION READ ONLY")
        yield connection


def _chosen(
    admin: lazy.psycopg.Connection,
    access: Access,
    database: str,
    entries: Collection[Entry],
    former: Collection[str],
    *,
    bare: bool,
) -> Cast:
    roles, superusers, powerful = (postgres.names(admin, query) for query in (_ROLES, _SUPERUSERS, _POWERFUL))
    names = listed(roles)
    found = {owner for entry in entries for owner in entry.owners(names)}
    apart = {} if bare else {each: StandIn(_login(access, database), each) for each in powerful if each in found}
    return Cast(
        StandIn(_login(access, database), None),
        apart,
        StandIn(_login(access, database), None),
        frozenset() if bare else frozenset(each for each in found - apart.keys() if not each.startswith("pg_")),
        names,
        frozenset((*superusers, *former)),
        frozenset(former) - frozenset(superusers),
        bare,
    )


def _login(access: Access, database: str) -> Access:
    name = fresh.new_name(database, secrets.token_hex(fresh.DIGITS // 2))
    return replace(access, user=name, password=secrets.token_urlsafe(32))


def _create(admin: lazy.psycopg.Connection, cast: Cast) -> None:
    tablespaces = [str(row[0]) for row in admin.execute(_TABLESPACES).fetchall()]
    below = sorted(cast.owners)
    _log_in(admin, cast.reader, [_READ_ALL, *below], reads_all=True)
    for each in cast.makers:
        _log_in(admin, each, below, reads_all=each.owner is not None)
        role = lazy.sql.Identifier(each.name)
        # Large objects have no code, and one stream has the content of all of them.
        admin.execute(lazy.sql.SQL("ALTER ROLE {} SET lo_compat_privileges TO on").format(role))
        for name in tablespaces:
            statement = lazy.sql.SQL("GRANT CREATE ON TABLESPACE {} TO {}")
            admin.execute(statement.format(lazy.sql.Identifier(name), role))
        below.append(each.name)


def _log_in(admin: lazy.psycopg.Connection, who: StandIn, groups: Iterable[str], *, reads_all: bool) -> None:
    role = lazy.sql.Identifier(who.name)
    # The server and its log see no more of the password than it stores.
    secret = admin.pgconn.encrypt_password(who.access.password.encode(), who.name.encode(), b"scram-sha-256").decode()
    attribute = lazy.sql.SQL("BYPASSRLS" if reads_all else "NOBYPASSRLS")
    admin.execute(lazy.sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(role, attribute, secret))
    for name in groups:
        admin.execute(_membership(admin, name, who.name))


def _membership(admin: lazy.psycopg.Connection, role: str, member: str) -> lazy.sql.Composed:
    options = " WITH INHERIT TRUE, SET TRUE" if admin.info.server_version >= 160000 else ""
    return lazy.sql.SQL("GRANT {} TO {}{}").format(
        lazy.sql.Identifier(role), lazy.sql.Identifier(member), lazy.sql.SQL(options)
    )


def _grant(
    session: lazy.psycopg.Connection, right: LiteralString, place: lazy.sql.Identifier | lazy.sql.SQL, role: str
) -> None:
    statement = lazy.sql.SQL("GRANT {} {} TO {}")
    session.execute(statement.format(lazy.sql.SQL(right), place, lazy.sql.Identifier(role)))


def _on_schema(statement: LiteralString, privilege: LiteralString, schema: str, role: str) -> lazy.sql.Composed:
    return lazy.sql.SQL(statement).format(
        lazy.sql.SQL(privilege), lazy.sql.Identifier(schema), lazy.sql.Identifier(role)
    )


def _drop(admin: lazy.psycopg.Connection, names: Iterable[str]) -> None:
    known = set(postgres.names(admin, _ROLES))
    for name in names:
        if name in known:
            role = lazy.sql.Identifier(name)
            # Rights on tablespaces, which belong to no database.
            admin.execute(lazy.sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(lazy.sql.SQL("DROP ROLE {}").format(role))


def _try_to_drop(admin: lazy.psycopg.Connection, cast: Cast) -> None:
    try:
        _drop(admin, [each.name for each in (*reversed(cast.makers), cast.reader)])
    except lazy.psycopg.Error as error:
        log.warning("could not drop; the next restore does", reason=postgres.explain(error))
