"""The printed page of PostgreSQL's roles: who logs in, what each may do, and the statements for a server outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from runbook import database_roles, datastores
from runbook.database_roles import Names

PAGE: Final = "docs/operations/database-roles.md"

_HEAD: Final = """# Roles of PostgreSQL

Made from `runbook/database_roles.py` by `make docs`; do not edit it.

The services use the tables and own nothing. An owner's check, default, trigger or view runs as others read, index or
restore the table, so that a stolen service that owns its tables reaches further than its rows. `crypto:postgres.roles`
renames the roles; `crypto:secrets` renames the Secrets that have their passwords.
"""
_UPGRADE: Final = f"""## The Job `{database_roles.SETUP_JOB}`

It runs before PgBouncer and the services, at the first deployment and whenever its images, settings or
statements change. Its first container makes what is missing (`ops db roles`, as superuser); the second runs the
migrations as the owner. It sees that password and no other. `crypto:postgres.migrations` names the service
whose image has them, and its arguments; the container finds `DATABASE_HOST`, `DATABASE_PORT`, `DATABASE_NAME`,
`DATABASE_USER` and `DATABASE_PASSWORD_FILE`, and leads to PostgreSQL itself. Where that setting is left out,
the schema is changed elsewhere, with the owner's login.

A database from before, which the services own, is brought over: in one transaction each of their objects goes
to the owner, and the services get the rights of the table above on it. A table that stays locked for
{database_roles.LOCK_SECONDS} s undoes it, and the Job tries again. A second run changes nothing. Roles that can
log in keep their passwords, and a right that a migration takes from the services stays away: `REVOKE DELETE ON
audit FROM {database_roles.SERVICES.name}`. What a migration makes later is of use to the services at once, by
default privileges. A migration that wants row security writes policies for the services: they are no owner any
more, whom PostgreSQL lets past them.

- Give the Secrets of the owner, the maintenance and the reaper before the deployment that brings the database over.
- Move statements that make or change tables from the services into the migrations before it: the services may
  not run them.
- `ops restore postgres` of a backup from before brings over what it restores, and says so. On a server without
  the roles it says `ops db roles`, which makes them.
"""
_OUTSIDE: Final = """## A server of somebody else

The Job makes no role there. A person runs these statements with `psql`, once, as a role that may make roles and
databases; again after a change of this page, without the first two blocks. Each role gets the password of its
Secret (`\\password NAME`). The second block is for a login that is no superuser and makes the database; leave
out of it what is there.
"""


def markdown(names: Names | None = None) -> str:
    """The whole page."""
    known = names or Names()
    table = ["| role | logs in | may |", "| --- | --- | --- |"]
    table += [
        f"| `{known.of(role)}` | {role.used_by} | {role.may}"
        f"{f' (member of {_listed(role.member_of)})' if role.member_of else ''} |"
        for role in database_roles.ALL
    ]
    parts = [_HEAD, "\n".join(table) + "\n", _UPGRADE, _OUTSIDE]
    parts += [f"```sql\n{block}\n```\n" for block in blocks(known)]
    return "\n".join(parts)


def blocks(names: Names) -> tuple[str, ...]:
    """What a person runs on a server outside: roles, the database, and what is safe to run again."""
    database = datastores.DATABASE
    return (
        _script(database_roles.creation(names).values()),
        _script(
            (
                f'GRANT "{names.owner}", "{names.services}" TO CURRENT_USER',
                f'CREATE DATABASE {database} OWNER "{names.owner}"',
            )
        ),
        _script(
            (
                *database_roles.memberships(names),
                f"\\connect {database}",
                "BEGIN",
                *database_roles.arrangement(names, database),
                "COMMIT",
            )
        ),
    )


def _script(statements: Iterable[str]) -> str:
    return "\n".join(each if each.startswith("\\") else f"{each};" for each in statements)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
