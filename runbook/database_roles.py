"""Who logs in to PostgreSQL, what each login may do, and the statements that make it so.

The services use the tables and own nothing: an owner's checks, defaults, triggers and views run as others read them, so
that one stolen service would reach what a restore, a vacuum or a backup may do. The declared server is arranged by
``ops db roles``; on an external server, an engineer runs the statements of docs/operations/database-roles.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runbook import datastores

# The Job that arranges the roles and then runs the migrations.
SETUP_JOB: Final = "database-setup"
# The wait for a lock on a table that changes its owner ends after these seconds; the Job tries again.
LOCK_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class DatabaseRole:
    """A login: ``key`` names it in the settings, ``name`` is its name unless they say another.

    ``member_of`` are roles that PostgreSQL brings along.
    """

    key: str
    name: str
    used_by: str
    may: str
    member_of: tuple[str, ...] = ()


OWNER: Final = DatabaseRole(
    "owner",
    datastores.DATABASE_OWNER,
    f"the migrations of the Job `{SETUP_JOB}`",
    "owns the database, its schemas and tables; makes and changes them",
)
SERVICES: Final = DatabaseRole(
    "services",
    datastores.SERVICES_ROLE,
    "the five services, through PgBouncer",
    "SELECT, INSERT, UPDATE, DELETE; next values of sequences; EXECUTE. Owns and creates nothing, no temporary table",
)
MAINTENANCE: Final = DatabaseRole(
    "maintenance",
    datastores.MAINTENANCE_ROLE,
    "`weekly-maintenance`, `ops db`",
    "what the owner may, since only an owner builds indexes and vacuums; sees what the server does",
    ("pg_monitor",),
)
REAPER: Final = DatabaseRole(
    "reaper",
    datastores.REAPER_ROLE,
    "`connection-reaper`",
    "ends sessions, sees what the server does and no row of a table",
    ("pg_monitor", "pg_signal_backend"),
)
BACKUP: Final = DatabaseRole(
    "backup",
    datastores.BACKUP_ROLE,
    "`backup-postgres`, `health-check`",
    "reads everything, changes nothing",
    ("pg_read_all_data",),
)
MONITORING: Final = DatabaseRole(
    "monitoring",
    datastores.MONITORING_ROLE,
    "`postgres-exporter`",
    "sees what the server does and no row of a table",
    ("pg_monitor",),
)
ALL: Final = (OWNER, SERVICES, MAINTENANCE, REAPER, BACKUP, MONITORING)


@dataclass(frozen=True, slots=True)
class Names:
    """The name of each role on a server; letters, digits and ``_`` (``runbook.formats.DatabaseRoleName``)."""

    owner: str = OWNER.name
    services: str = SERVICES.name
    maintenance: str = MAINTENANCE.name
    reaper: str = REAPER.name
    backup: str = BACKUP.name
    monitoring: str = MONITORING.name

    def of(self, role: DatabaseRole) -> str:
        """The name of a role."""
        return str(getattr(self, role.key))


def creation(names: Names) -> Mapping[str, str]:
    """The statement that makes each role, by its name; the password comes after it."""
    return {names.of(role): f"CREATE ROLE {_quoted(names.of(role))} LOGIN" for role in ALL}


def memberships(names: Names) -> tuple[str, ...]:
    """What the roles are members of, and the attributes that they do not have; safe to run again."""
    owner, services, maintenance = map(_quoted, (names.owner, names.services, names.maintenance))
    return (
        *(f"ALTER ROLE {role} NOCREATEDB NOCREATEROLE" for role in (owner, services, maintenance)),
        *(f"GRANT {', '.join(role.member_of)} TO {_quoted(names.of(role))}" for role in ALL if role.member_of),
        f"GRANT {owner} TO {maintenance}",
        f"REVOKE {owner} FROM {services}",
    )


def arrangement(names: Names, database: str) -> tuple[str, ...]:
    """Owners and rights in ``database``, to be run in it in one transaction; safe to run again.

    What the services' role owns goes to the owner, and the services get the rights on it; what has another owner is
    left alone. A right that a migration has taken from the services stays away, for rights on what the owner has
    already are not given again. Later objects get theirs by default privileges.
    """
    owner, services = _quoted(names.owner), _quoted(names.services)
    clients = ", ".join(_quoted(names.of(role)) for role in ALL if role is not OWNER)
    known = _quoted(database)
    return (
        f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'",
        f"ALTER DATABASE {known} OWNER TO {owner}",
        _BRING_OVER.format(owner=owner, services=services),
        f"REVOKE CREATE, TEMPORARY ON DATABASE {known} FROM PUBLIC, {services}",
        f"GRANT CONNECT ON DATABASE {known} TO {clients}",
        _SCHEMAS.format(owner=owner, services=services),
        *(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT {rights} ON {kind} TO {services}"
            for kind, rights in _LATER.items()
        ),
    )


_LATER: Final[Mapping[str, str]] = {
    "SCHEMAS": "USAGE",
    "TABLES": "SELECT, INSERT, UPDATE, DELETE",
    "SEQUENCES": "USAGE",
    "ROUTINES": "EXECUTE",
}
# The grants are collected before the objects change hands and run after it: a grant to an owner says nothing.
_BRING_OVER: Final = """DO $$
DECLARE
  services CONSTANT regrole := '{services}';
  owner CONSTANT regrole := '{owner}';
  given text;
  rights CONSTANT text[] := ARRAY(
    SELECT format('USAGE ON SCHEMA %I', nspname) FROM pg_catalog.pg_namespace WHERE nspowner = services
    UNION ALL
    SELECT format(CASE relkind WHEN 'S' THEN 'USAGE ON SEQUENCE %s' ELSE 'SELECT, INSERT, UPDATE, DELETE ON %s' END,
      oid::regclass)
    FROM pg_catalog.pg_class
    WHERE relowner = services AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relpersistence <> 't'
    UNION ALL
    SELECT format('EXECUTE ON ROUTINE %s', oid::regprocedure) FROM pg_catalog.pg_proc WHERE proowner = services
    UNION ALL
    SELECT format('SELECT, UPDATE ON LARGE OBJECT %s', oid) FROM pg_catalog.pg_largeobject_metadata
    WHERE lomowner = services
  );
BEGIN
  EXECUTE format('REASSIGN OWNED BY %s TO %s', services, owner);
  FOREACH given IN ARRAY rights LOOP
    EXECUTE format('GRANT %s TO %s', given, services);
  END LOOP;
END $$"""
_SCHEMAS: Final = """DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT nspname FROM pg_catalog.pg_namespace
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
  LOOP
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, {services}', name);
    IF name = 'public' THEN
      GRANT USAGE ON SCHEMA public TO {services};
      GRANT USAGE, CREATE ON SCHEMA public TO {owner};
    END IF;
  END LOOP;
END $$"""


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
