"""A backup of PostgreSQL built anew in a fresh database and compared: all of a restore but the swap.

A verification and a drill run the same on a throwaway server, which has nothing: so they try the restore after a
disaster, roles and all.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from scripts import lazy, log
from scripts.backup import compare, fresh, properties, roles, schema, stand_in, toc
from scripts.backup.fill import fill
from scripts.backup.manifest import PostgresManifest
from scripts.backup.postgres_model import DatabaseFacts, Surroundings
from scripts.backup.toc import Archive
from scripts.backup.transfer import Stored
from scripts.clients import postgres
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A fresh database that is equal to its backup: its rows by table, what was compared, what a person must do."""

    name: str
    counts: dict[str, int]
    compared: tuple[str, ...]
    notes: tuple[str, ...]


@contextmanager
def rebuilt(
    access: Access,
    manifest: PostgresManifest,
    stored: Stored,
    program: Program,
    facts: DatabaseFacts,
    otherwise: str,
    *,
    secrets: Mapping[str, str] | None = None,
    bare: bool = False,
) -> Generator[Rebuilt]:
    """The backup in a database of its own on the server of ``access``, whose user is a superuser.

    It gets the properties of ``facts``. ``secrets`` names the Secrets that have the passwords of roles. ``bare`` leaves
    out owners and rights: a format before 4 does not say whose they are. When anything raises, the block included, the
    database and the roles that were made for it are dropped.

    Raises:
        CheckFailedError: something is not as it was saved; the line names it and ends with ``otherwise``.
        UsageError: the server refuses a property, a role or an extension.
        TemporaryError: the server or the bucket went away.
    """
    surroundings = manifest.surroundings
    with (
        _naming(access, manifest, facts) as (admin, codec),
        roles.present(admin, surroundings) as made,
        toc.opened(stored, program, codec) as archive,
        stand_in.present(admin, access, facts.name, archive.entries, _former(surroundings, made), bare=bare) as cast,
        fresh.created(admin, facts) as name,
    ):
        properties.set_defaults(admin, name, facts)
        away = _tablespaces(admin, archive, facts)
        empty = fill(archive, access, name, surroundings.extensions if surroundings else (), cast)
        # Logged in before the rights of the database may shut it out.
        with stand_in.reading(cast, name) as reader:
            properties.apply(admin, name, facts)
            found = compare.against(access, reader, name, manifest, archive, otherwise, bare=bare)
        # At last: PostgreSQL drops no database that has a subscription.
        properties.subscribe(access, name, surroundings.subscriptions if surroundings else ())
        stand_in.drop(admin, cast)
        log.info("rebuilt", id=manifest.id, database=name)
        notes = (*found.notes, *away, *empty, *_notes(surroundings, made, secrets or {}))
        yield Rebuilt(name, found.counts, found.compared, notes)


@contextmanager
def administration(access: Access) -> Generator[lazy.psycopg.Connection]:
    """A session that creates and drops databases."""
    with postgres.connect(access, postgres.MAINTENANCE_DATABASE, application="ops restore", doing="restore") as admin:
        yield admin


@contextmanager
def _naming(
    access: Access, manifest: PostgresManifest, facts: DatabaseFacts
) -> Generator[tuple[lazy.psycopg.Connection, str]]:
    """``administration`` by a session that names roles as the saved database does, and the codec of its archive.

    All databases share the names of roles, and each reads their bytes by its own encoding: a name beyond ASCII that a
    database in LATIN1 has made is another one in UTF-8, or none.
    """
    with administration(access) as admin:
        named = manifest.surroundings.roles if manifest.surroundings else ()
        alike = ("SQL_ASCII", admin.info.parameter_status("server_encoding"))
        if facts.encoding in alike or all(role.name.isascii() for role in named):
            yield admin, "utf-8"
            return
        like = facts.model_copy(update={"owner": access.user, "tablespace": None})
        with fresh.created(admin, like) as name:
            try:
                with postgres.connect(access, name, application="ops restore", doing="restore") as session:
                    yield session, _codec(session, facts.encoding)
            finally:
                fresh.drop(admin, name)


def _codec(session: lazy.psycopg.Connection, encoding: str) -> str:
    """Python's name of an encoding of PostgreSQL."""
    kept = session.info.parameter_status("client_encoding")
    setting = "SELECT set_config('client_encoding', %s, false)"
    session.execute(setting, (encoding,))
    codec = session.info.encoding
    session.execute(setting, (kept,))
    return codec


def _tablespaces(admin: lazy.psycopg.Connection, archive: Archive, facts: DatabaseFacts) -> list[str]:
    """Have the archive restored without tablespaces where the server lacks one of them, and say so."""
    there = properties.tablespaces(admin)
    notes: list[str] = []
    if facts.tablespace is not None and facts.tablespace not in there:
        notes.append(f"this server has no tablespace {facts.tablespace}: the database lies in the server's own")
    if lost := schema.tablespaces(archive) - there:
        archive.options = ("--no-tablespaces",)
        notes.append(
            f"this server has no tablespace {', '.join(sorted(lost))}: all tables and indexes lie in the database's own"
        )
    return notes


def _former(surroundings: Surroundings | None, made: tuple[str, ...]) -> list[str]:
    """The superusers of the backup that were made, and are none."""
    return [role.name for role in (surroundings.roles if surroundings else ()) if role.superuser and role.name in made]


def _notes(surroundings: Surroundings | None, made: tuple[str, ...], secrets: Mapping[str, str]) -> list[str]:
    """What a person must do, because a backup holds no secrets."""
    if surroundings is None:
        return ["the backup is of an older ops, and has neither roles nor properties of the database"]
    by_name = {role.name: role for role in surroundings.roles}
    notes: list[str] = []
    for name in made:
        role = by_name[name]
        if role.login:
            where = f"the Secret {secrets[name]}" if name in secrets else "its Secret"
            notes.append(f"role {name} is new here and has no login: ALTER ROLE {name} LOGIN PASSWORD, from {where}")
        if role.superuser:
            notes.append(
                f"role {name} was a superuser and is none here: this superuser has the event triggers, foreign-data "
                "wrappers and subscriptions that it owned"
            )
    notes += [
        f"subscription {each.name} is disabled: give it its CONNECTION (from its Secret) and a slot"
        f"{f' (it had {each.slot})' if each.slot else ''}, then ENABLE it"
        for each in surroundings.subscriptions
    ]
    notes += [
        f"the user mapping of {each} may lack options here, which no backup reads: ALTER USER MAPPING ... OPTIONS (ADD "
        "user, password), from its Secret"
        for each in surroundings.user_mappings
    ]
    return notes
