"""``ops db roles``: the logins of PostgreSQL, who owns what, and what the services may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runbook import database_roles
from runbook.ops_settings import Login, OpsSettings, PostgresTarget
from scripts import config, lazy, log
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import UsageError
from scripts.output import Outcome, say

_APPLICATION: Final = "ops roles"
_EXTENSION: Final = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public"
_KNOWN: Final = "SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname = ANY(%s)"
# Objects of the session's database, and the database itself.
_OWNED: Final = """
SELECT count(*) FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
JOIN pg_database d ON d.datname = current_database()
WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND r.rolname = %s
  AND (s.dbid = d.oid OR s.classid = 'pg_database'::regclass AND s.objid = d.oid)
"""


def run(settings: OpsSettings, *, dry_run: bool) -> Outcome:
    """Make what is missing of roles, database and extension, and give what the services own to the owner.

    A role that can log in keeps its password.

    Raises:
        UsageError: the login is no superuser's, a password's file is missing, or the services' role is a superuser.
        TemporaryError: the server does not answer, or a table stayed locked.
    """
    target = settings.postgres
    access = Access.of(target, target.superuser)
    with postgres.connect(access, postgres.MAINTENANCE_DATABASE, application=_APPLICATION, doing="roles") as admin:
        known = _known(admin, target)
        made = [name for name in _names(target) if name not in known]
        created = not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (target.database,)).fetchone()
        if not dry_run:
            _roles(admin, target, known)
        if created and not dry_run:
            statement = lazy.sql.SQL("CREATE DATABASE {} OWNER {}")
            names = lazy.sql.Identifier(target.database), lazy.sql.Identifier(target.owner.user)
            admin.execute(statement.format(*names))
    moved = 0 if created and dry_run else _in_database(access, target, dry_run=dry_run)
    data: dict[str, object] = {
        "database": target.database,
        "dry_run": dry_run,
        "roles_made": made,
        "database_made": created,
        "brought_over": moved,
    }
    would = "Would make" if dry_run else "Made"
    gave = "Would give" if dry_run else "Gave"
    lines = [f"{would} role {name}." for name in made]
    lines += [f"{would} database {target.database}."] if created else []
    lines += [f"{gave} {moved} objects of {target.services.user} to {target.owner.user}."] if moved else []
    rights = f"the rights of the services in {target.database}"
    last = f"Would set {rights}. Nothing was changed." if dry_run else f"Set {rights}."
    return Outcome(data, say(*lines, last))


def bring_over(access: Access, target: PostgresTarget, database: str) -> tuple[str, ...]:
    """Arrange a restored database whose backup is of the time when the services owned it; what was done, for people.

    A backup of later has its owners and rights in it and is left as it is.
    """
    with postgres.connect(access, database, application="ops restore", doing="owners and rights") as session:
        moved = _owned(session, target)
        if not moved:
            return ()
        known = {str(row[0]) for row in session.execute(_KNOWN, (_names(target),)).fetchall()}
        if missing := [name for name in _names(target) if name not in known]:
            return (
                f"{moved} objects belong to {target.services.user}, whose login the services have, because this server "
                f"has no role {', '.join(missing)}: run `ops db roles`",
            )
        _arrange(session, target, database)
    return (f"{moved} objects belonged to {target.services.user}, and belong to {target.owner.user} now",)


def _names(target: PostgresTarget) -> list[str]:
    return [target.login(role).user for role in database_roles.ALL]


def _known(admin: lazy.psycopg.Connection, target: PostgresTarget) -> dict[str, tuple[bool, bool]]:
    """The roles that there are: whether each can log in, and whether it is a superuser."""
    known = {str(name): (bool(login), bool(most)) for name, login, most in admin.execute(_KNOWN, (_names(target),))}
    if known.get(target.services.user, (False, False))[1]:
        raise UsageError(
            f"role {target.services.user}, by which the services log in, is a superuser: "
            f"ALTER ROLE {target.services.user} NOSUPERUSER, then run again"
        )
    return known


def _roles(admin: lazy.psycopg.Connection, target: PostgresTarget, known: Mapping[str, tuple[bool, bool]]) -> None:
    with admin.transaction():
        for role in database_roles.ALL:
            login = target.login(role)
            if login.user not in known:
                admin.execute(database_roles.creation(target.names)[login.user].encode())
            if not known.get(login.user, (False, False))[0]:
                admin.execute(_password(admin, login))
                log.info("role can log in", role=login.user)
        for statement in database_roles.memberships(target.names):
            admin.execute(statement.encode())


def _password(admin: lazy.psycopg.Connection, login: Login) -> lazy.sql.Composed:
    """The password as the server keeps it: the clear one would stand in a log of statements."""
    kept = admin.pgconn.encrypt_password(config.password(login).encode(), login.user.encode(), b"scram-sha-256")
    statement = lazy.sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
    return statement.format(lazy.sql.Identifier(login.user), lazy.sql.Literal(kept.decode()))


def _in_database(access: Access, target: PostgresTarget, *, dry_run: bool) -> int:
    with postgres.connect(access, target.database, application=_APPLICATION, doing="owners and rights") as session:
        if dry_run:
            return _owned(session, target)
        session.execute(_EXTENSION)
        return _arrange(session, target, target.database)


def _owned(session: lazy.psycopg.Connection, target: PostgresTarget) -> int:
    row = session.execute(_OWNED, (target.services.user,)).fetchone()
    return int(row[0]) if row else 0


def _arrange(session: lazy.psycopg.Connection, target: PostgresTarget, database: str) -> int:
    """Run the statements, all of them or none; how many objects they bring over."""
    with session.transaction():
        moved = _owned(session, target)
        for statement in database_roles.arrangement(target.names, database):
            session.execute(statement.encode())
    if moved:
        log.info("objects brought over", objects=moved, owner=target.owner.user)
    return moved
