"""The roles of a backup on a server that may lack them.

A role that the server has is left as it is: its rights belong to the server, and may have been taken away since. One
that is missing comes back without a login, because no backup holds a password, and without the rights of a superuser.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, LiteralString

from scripts import lazy, log
from scripts.backup.postgres_model import Membership, ParameterRight, Role, Setting, Surroundings
from scripts.clients import postgres
from scripts.exits import UsageError

# Their values are lists: each part is a name of its own.
_LISTS: Final = frozenset({"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"})
_PART: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",]*?))\s*(?:,|$)')


@contextmanager
def present(admin: lazy.psycopg.Connection, surroundings: Surroundings | None) -> Generator[tuple[str, ...]]:
    """Every role of the backup while the block runs, and after it; those that were made go again where it raises.

    The value has the names of those that were made.

    Raises:
        UsageError: the server refuses one.
    """
    made: tuple[str, ...] = ()
    if surroundings is not None:
        made = _create(admin, surroundings)
    try:
        yield made
    except BaseException:
        _drop(admin, made)
        raise


def setting(owner: lazy.sql.Composed, given: Setting) -> lazy.sql.Composed:
    """``ALTER`` of ``owner`` (a database, a role, or a role in a database) for a setting."""
    name = lazy.sql.SQL(".").join(lazy.sql.Identifier(part) for part in given.name.split("."))
    values = parts(given.value) if given.name.lower() in _LISTS else [given.value]
    value = lazy.sql.SQL(", ").join(lazy.sql.Literal(each) for each in values)
    return lazy.sql.SQL("ALTER {} SET {} TO {}").format(owner, name, value)


def parts(value: str) -> list[str]:
    """The names in a list such as ``"$user", public``; an empty list is one empty name."""
    found: list[str] = []
    at = 0
    while at < len(value) or not found:
        match = _PART.match(value, at)
        if match is None or match.end() == at < len(value):
            return [value]
        found.append(match[1].replace('""', '"') if match[1] is not None else match[2])
        at = match.end()
    return found


def _create(admin: lazy.psycopg.Connection, surroundings: Surroundings) -> tuple[str, ...]:
    """Make the missing roles, all of them or none."""
    known = set(postgres.names(admin, "SELECT textsend(rolname::text) FROM pg_roles"))
    missing = [role for role in surroundings.roles if role.name not in known]
    names = {role.name for role in missing}
    with admin.transaction():
        for role in missing:
            _run(admin, _statement(role), role.name)
            for given in role.settings:
                owner = lazy.sql.SQL("ROLE {}").format(lazy.sql.Identifier(role.name))
                _run(admin, setting(owner, given), role.name)
            if role.comment is not None:
                statement = lazy.sql.SQL("COMMENT ON ROLE {} IS {}")
                _run(admin, statement.format(lazy.sql.Identifier(role.name), role.comment), role.name)
        for membership in surroundings.memberships:
            if membership.member in names or membership.role in names:
                _run(admin, _grant(admin, membership), membership.member)
        for right in surroundings.parameters:
            if right.grantee in names:
                _run(admin, _parameter(right), right.grantee)
    for role in missing:
        log.info("role made", role=role.name)
    return tuple(sorted(names))


def _statement(role: Role) -> lazy.sql.Composed:
    attributes: dict[LiteralString, bool] = {
        "INHERIT": role.inherit,
        "CREATEROLE": role.create_role,
        "CREATEDB": role.create_db,
        "REPLICATION": role.replication,
        "BYPASSRLS": role.bypass_rls,
    }
    statement = lazy.sql.SQL("CREATE ROLE {} NOLOGIN NOSUPERUSER CONNECTION LIMIT {}").format(
        lazy.sql.Identifier(role.name), role.connection_limit
    )
    for word, given in attributes.items():
        statement += lazy.sql.SQL(" " if given else " NO") + lazy.sql.SQL(word)
    if role.valid_until is not None:
        statement += lazy.sql.SQL(" VALID UNTIL {}").format(role.valid_until)
    return statement


def _grant(admin: lazy.psycopg.Connection, membership: Membership) -> lazy.sql.Composed:
    statement = lazy.sql.SQL("GRANT {} TO {}").format(
        lazy.sql.Identifier(membership.role), lazy.sql.Identifier(membership.member)
    )
    if admin.info.server_version < 160000:
        return statement + lazy.sql.SQL(" WITH ADMIN OPTION" if membership.admin else "")
    options = [lazy.sql.SQL("ADMIN {}").format(membership.admin)]
    if membership.inherit is not None:
        options.append(lazy.sql.SQL("INHERIT {}").format(membership.inherit))
    if membership.set is not None:
        options.append(lazy.sql.SQL("SET {}").format(membership.set))
    return statement + lazy.sql.SQL(" WITH ") + lazy.sql.SQL(", ").join(options)


def _parameter(right: ParameterRight) -> lazy.sql.Composed:
    return lazy.sql.SQL("GRANT {} ON PARAMETER {} TO {}{}").format(
        lazy.sql.SQL(right.privilege),
        lazy.sql.SQL(".").join(lazy.sql.Identifier(part) for part in right.parameter.split(".")),
        lazy.sql.Identifier(right.grantee),
        lazy.sql.SQL(" WITH GRANT OPTION" if right.grantable else ""),
    )


def _run(admin: lazy.psycopg.Connection, statement: lazy.sql.Composed, role: str) -> None:
    try:
        admin.execute(statement)
    except lazy.psycopg.Error as error:
        if postgres.passing(error):
            raise
        raise UsageError(
            f"role {role} of the backup cannot be made on this server: {postgres.explain(error)}; "
            f"make it yourself (CREATE ROLE), then run again"
        ) from None


def _drop(admin: lazy.psycopg.Connection, made: Sequence[str]) -> None:
    for name in made:
        try:
            admin.execute(lazy.sql.SQL("DROP ROLE IF EXISTS {}").format(lazy.sql.Identifier(name)))
        except lazy.psycopg.Error as error:
            log.warning("could not drop a role that was made", role=name, reason=postgres.explain(error))
