"""What each login of PostgreSQL may do, on a real server that ``ops db roles`` has arranged."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import errors

from runbook import database_page, database_roles
from runbook.database_roles import Names
from runbook.datastores import DATABASE, DATABASE_OWNER, MAINTENANCE_ROLE, SERVICES_ROLE
from tests.services import ops_environment, servers
from tests.services.ops_environment import PASSWORDS, USERS, Answer, Environment
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_SCHEMA: Final = (
    "CREATE TABLE prices (id bigserial PRIMARY KEY, coin_id text, price numeric CHECK (price > 0), t timestamptz)",
    "CREATE VIEW cheap AS SELECT * FROM prices WHERE price < 1",
    "CREATE FUNCTION half(of int) RETURNS int LANGUAGE sql AS 'SELECT of / 2'",
    'CREATE SCHEMA "Old ""Stuff"""',
    'CREATE TABLE "Old ""Stuff""".t (i int)',
    "SELECT lo_create(4711)",
    "INSERT INTO prices (coin_id, price) VALUES ('bitcoin', 2)",
)
# By what each is an attempt at; an owner may do every one of them.
_REFUSED: Final = {
    "check": "ALTER TABLE prices ADD CHECK (half(1) = 0)",
    "default": "ALTER TABLE prices ALTER coin_id SET DEFAULT 'x'",
    "owner": f"ALTER TABLE prices OWNER TO {SERVICES_ROLE}",
    "drop": "DROP TABLE prices",
    "truncate": "TRUNCATE prices",
    "trigger": "CREATE TRIGGER t BEFORE INSERT ON prices EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "rule": "CREATE RULE r AS ON INSERT TO prices DO ALSO SELECT 1",
    "index": "CREATE INDEX ON prices (coin_id)",
    "policy": "ALTER TABLE prices DISABLE ROW LEVEL SECURITY",
    "function": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "replaced function": "CREATE OR REPLACE FUNCTION half(of int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "view": "CREATE VIEW mine AS SELECT 1",
    "replaced view": "CREATE OR REPLACE VIEW cheap AS SELECT * FROM prices",
    "domain": "CREATE DOMAIN mine AS int CHECK (VALUE > 0)",
    "table": "CREATE TABLE mine (i int)",
    "table of a query": "SELECT 1 AS i INTO mine",
    "temporary table": "CREATE TEMPORARY TABLE mine (i int)",
    "table in another schema": 'CREATE TABLE "Old ""Stuff""".mine (i int)',
    "schema": "CREATE SCHEMA mine",
    "database": "CREATE DATABASE mine",
    "role": "CREATE ROLE mine",
    "extension": "CREATE EXTENSION citext",
    "maintenance": "ALTER SYSTEM SET work_mem = '1MB'",
    "secret": "SELECT * FROM vault.secret",
    "passwords": "SELECT * FROM pg_authid",
    "statements of others": f"SET ROLE {DATABASE_OWNER}",
    "the maintenance": f"SET ROLE {MAINTENANCE_ROLE}",
    "file": "COPY prices TO '/tmp/prices'",
    "program": "COPY prices TO PROGRAM 'cat'",
    "sequence": "SELECT setval('prices_id_seq', 1)",
}
_USED: Final = (
    "INSERT INTO prices (coin_id, price) VALUES ('ether', 3)",
    "UPDATE prices SET price = 4 WHERE coin_id = 'ether'",
    "DELETE FROM prices WHERE coin_id = 'ether'",
    "SELECT half(1), * FROM cheap",
    'INSERT INTO "Old ""Stuff""".t VALUES (1)',
    "SELECT lo_get(4711)",
)


def _run(environment: Environment, role: str, *statements: str) -> None:
    with environment.connect(role=role) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _arrange(environment: Environment) -> Answer:
    answer = environment.ops("db", "roles", "--json")
    assert answer.code == 0, answer.stderr
    return answer


def _empty(environment: Environment) -> None:
    environment.reset()
    environment.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    for role in database_roles.ALL:
        environment.execute(f"DROP ROLE IF EXISTS {role.name}")


def _disarrange(environment: Environment) -> None:
    """A server as an earlier release has left it: the services own their database, and two roles are not there."""
    _empty(environment)
    environment.execute(f"CREATE ROLE {SERVICES_ROLE} LOGIN CREATEDB PASSWORD 's3rvices''Geheim'")
    environment.execute(f"CREATE DATABASE {DATABASE} OWNER {SERVICES_ROLE}")
    _run(environment, "services", *_SCHEMA)
    environment.execute("CREATE EXTENSION pg_stat_statements", DATABASE)
    environment.execute("CREATE SCHEMA vault; CREATE TABLE vault.secret AS SELECT 1 AS what", DATABASE)


def _catalog(environment: Environment) -> list[list[tuple[object, ...]]]:
    """Owners and rights of everything in the database, and the roles with what they are members of."""
    queries = (
        """SELECT relname, relowner::regrole::text,
             coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))::text
           FROM pg_class WHERE oid >= 16384 ORDER BY oid""",
        "SELECT nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace ORDER BY oid",
        "SELECT proname, proowner::regrole::text, proacl::text FROM pg_proc WHERE oid >= 16384 ORDER BY oid",
        "SELECT oid, lomowner::regrole::text, lomacl::text FROM pg_largeobject_metadata",
        "SELECT defaclrole::regrole::text, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY oid",
        "SELECT datname, datdba::regrole::text, datacl::text FROM pg_database ORDER BY oid",
        "SELECT * FROM pg_roles ORDER BY oid",
        "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2",
        "SELECT rolname, rolpassword FROM pg_authid ORDER BY oid",
    )
    return [environment.rows(query) for query in queries]


def _owned(environment: Environment, user: str) -> int:
    query = f"SELECT count(*) FROM pg_shdepend WHERE refobjid = '{user}'::regrole AND deptype = 'o'"  # noqa: S608 - a constant
    return environment.rows(query)[0][0]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    """A database from before, brought over."""
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as started:
        _disarrange(started)
        _arrange(started)
        yield started


@pytest.mark.parametrize("attempt", _REFUSED)
def test_the_services_change_no_object_and_make_none(environment: Environment, attempt: str) -> None:
    with environment.connect(role="services") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(_REFUSED[attempt].encode())


def test_the_services_use_what_they_used_before(environment: Environment) -> None:
    _run(environment, "services", *_USED)


def test_an_owner_may_do_what_the_services_may_not(environment: Environment) -> None:
    """So that the refusals are refusals of the right and not of the statement."""
    names = ("check", "default", "truncate", "trigger", "rule", "index", "policy", "function", "table", "sequence")
    with environment.connect(role="owner") as connection:
        for name in names:
            with connection.transaction(force_rollback=True):
                connection.execute(_REFUSED[name].encode())


def test_the_services_own_nothing(environment: Environment) -> None:
    assert _owned(environment, SERVICES_ROLE) == 0
    assert _owned(environment, DATABASE_OWNER) > len(_SCHEMA) - 2


def test_a_second_run_changes_nothing(environment: Environment) -> None:
    before = _catalog(environment)
    answer = _arrange(environment)
    assert answer.json["brought_over"] == 0
    assert answer.json["roles_made"] == []
    assert _catalog(environment) == before


def test_a_new_table_of_a_migration_is_of_use_to_the_services_at_once(environment: Environment) -> None:
    migration = (
        "CREATE SCHEMA coins",
        "CREATE TABLE coins.names (id bigserial PRIMARY KEY, other bigint GENERATED ALWAYS AS IDENTITY, name text)",
        "CREATE VIEW coins.short AS SELECT * FROM coins.names WHERE length(name) < 4",
        "ALTER TABLE prices ADD IF NOT EXISTS note text",
    )
    _run(environment, "owner", *migration)
    statements = ("INSERT INTO coins.names (name) VALUES ('a')", "SELECT * FROM coins.short", "SELECT note FROM prices")
    _run(environment, "services", *statements)
    with environment.connect(role="services") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE coins.mine ()")


def test_what_a_migration_takes_from_the_services_stays_away(environment: Environment) -> None:
    _run(environment, "owner", "CREATE TABLE audit (i int)", f"REVOKE UPDATE, DELETE ON audit FROM {SERVICES_ROLE}")
    _arrange(environment)
    _run(environment, "services", "INSERT INTO audit VALUES (1)")
    with environment.connect(role="services") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("DELETE FROM audit")


@pytest.mark.parametrize("role", ["services", "monitoring", "backup"])
def test_who_reads_or_uses_tables_cannot_become_the_owner(environment: Environment, role: str) -> None:
    with environment.connect(role=role) as connection:
        for other in {*USERS.values()} - {USERS[role]}:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f'SET ROLE "{other}"'.encode())


@pytest.mark.parametrize("statement", ["SELECT * FROM prices", "DROP TABLE prices", "SET ROLE crypto_owner"])
def test_the_reaper_reads_and_changes_no_table(environment: Environment, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        _run(environment, "reaper", statement)


def test_the_maintenance_indexes_and_vacuums_what_the_owner_has(environment: Environment) -> None:
    _run(environment, "maintenance", "CREATE INDEX CONCURRENTLY spare ON prices (t)", "VACUUM (ANALYZE) prices")
    assert environment.rows("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'spare'") == [
        (DATABASE_OWNER,)
    ]
    environment.execute("DROP INDEX spare", DATABASE)


def test_on_an_empty_server_roles_and_database_are_made_and_each_logs_in_with_the_password_of_its_secret(
    environment: Environment,
) -> None:
    _empty(environment)
    answer = _arrange(environment)
    assert sorted(answer.json["roles_made"]) == sorted(role.name for role in database_roles.ALL)
    assert answer.json["database_made"] is True
    for role in database_roles.ALL:
        _run(environment, role.key, "SELECT 1")
    assert environment.rows("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'") == [(1,)]
    said = environment.database.log.read_text() + answer.stdout + answer.stderr
    assert [name for name, password in PASSWORDS.items() if password in said] == []
    _disarrange(environment)
    _arrange(environment)


def test_a_role_without_a_login_as_a_restore_leaves_it_gets_one(environment: Environment) -> None:
    environment.execute(f"ALTER ROLE {SERVICES_ROLE} NOLOGIN PASSWORD NULL")
    with pytest.raises(psycopg.OperationalError), environment.connect(role="services"):
        pass
    _arrange(environment)
    _run(environment, "services", "SELECT 1")


def test_a_dry_run_says_what_it_would_and_changes_nothing(environment: Environment) -> None:
    _disarrange(environment)
    before = _catalog(environment)
    answer = environment.ops("db", "roles", "--dry-run", "--json")
    assert answer.code == 0, answer.stderr
    assert _catalog(environment) == before
    done = _arrange(environment)
    assert answer.json == {**done.json, "dry_run": True}
    assert answer.json["brought_over"] > 0
    assert answer.json["roles_made"]


def test_a_table_that_stays_locked_changes_nothing_and_is_tried_again(environment: Environment) -> None:
    _disarrange(environment)
    with environment.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE prices IN ACCESS SHARE MODE")
        answer = environment.ops("db", "roles", "--json")
        assert answer.code == 75
    assert _owned(environment, DATABASE_OWNER) == 0
    _arrange(environment)
    assert _owned(environment, SERVICES_ROLE) == 0


def test_services_that_are_a_superuser_are_refused_with_what_to_do(environment: Environment) -> None:
    environment.execute(f"ALTER ROLE {SERVICES_ROLE} SUPERUSER")
    answer = environment.ops("db", "roles", "--json")
    environment.execute(f"ALTER ROLE {SERVICES_ROLE} NOSUPERUSER")
    assert answer.code == 2
    assert f"ALTER ROLE {SERVICES_ROLE} NOSUPERUSER" in answer.error


def test_a_backup_from_before_ends_as_a_database_that_was_brought_over(environment: Environment) -> None:
    _disarrange(environment)
    # As an earlier release left it, with the login that saves.
    environment.execute(f"CREATE ROLE {USERS['backup']} LOGIN PASSWORD '{PASSWORDS['backup']}'")
    environment.execute(f"GRANT pg_read_all_data TO {USERS['backup']}")
    _run(environment, "services", f"GRANT SELECT ON LARGE OBJECT 4711 TO {USERS['backup']}")
    environment.backup()
    _arrange(environment)
    wanted = _catalog(environment)

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert any(SERVICES_ROLE in note and DATABASE_OWNER in note for note in answer.json["notes"])
    for found, before in zip(_rights(_catalog(environment)), _rights(wanted), strict=True):
        assert found ^ before == set()
        assert found
    _run(environment, "services", *_USED)
    for attempt in ("check", "table", "temporary table", "drop"):
        with environment.connect(role="services") as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute(_REFUSED[attempt].encode())


def test_a_backup_of_later_keeps_what_a_migration_took_from_the_services(environment: Environment) -> None:
    _empty(environment)
    _arrange(environment)
    _run(environment, "owner", "CREATE TABLE ledger (i int)", f"REVOKE DELETE ON ledger FROM {SERVICES_ROLE}")
    environment.backup()
    wanted = _catalog(environment)

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert answer.json["notes"] == []
    assert _rights(_catalog(environment)) == _rights(wanted)
    _run(environment, "owner", "CREATE TABLE later (i int)")
    _run(environment, "services", "INSERT INTO later VALUES (1)")


def _rights(catalog: list[list[tuple[object, ...]]]) -> list[set[tuple[object, ...]]]:
    """Without what a restore may number or order anew: object ids and the databases that it keeps."""
    classes, schemas, routines, large, defaults, databases, *_ = catalog
    plain = [
        {(name, owner, _sorted(acl)) for name, owner, acl in part} for part in (schemas, routines, defaults, large)
    ]
    shown = {(name, owner, _sorted(acl)) for name, owner, acl in classes if not str(name).startswith("pg_")}
    return [*plain, shown, {(name, owner, _sorted(acl)) for name, owner, acl in databases if name == DATABASE}]


def _sorted(acl: object) -> object:
    return tuple(sorted(str(acl).strip("{}").split(","))) if acl else acl


def test_the_statements_name_the_roles_that_the_settings_name() -> None:
    names = Names(owner="o", services="s", maintenance="m", reaper="r", backup="b", monitoring="w")
    said = "\n".join((*database_roles.creation(names).values(), *database_roles.memberships(names)))
    said += "\n".join(database_roles.arrangement(names, DATABASE))
    assert [role.name for role in database_roles.ALL if role.name in said] == []


def test_on_a_server_outside_the_statements_of_the_page_do_the_same_without_a_superuser(
    environment: Environment,
) -> None:
    _empty(environment)
    _arrange(environment)
    wanted = _rights(_catalog(environment))
    _empty(environment)
    environment.execute("CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD 'master'")
    programs = servers.postgres_programs()
    assert programs
    psql = [f"{programs}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-U", "master"]
    where = {"PGHOST": environment.database.host, "PGPORT": str(environment.database.port), "PGPASSWORD": "master"}
    roles, database, rights = database_page.blocks(Names())

    for script in (roles, database, rights, rights):
        done = subprocess.run(psql, input=script, env=where, capture_output=True, text=True, check=False)
        assert (done.returncode, [line for line in done.stderr.splitlines() if "ERROR" in line]) == (0, [])

    environment.execute("CREATE EXTENSION pg_stat_statements", DATABASE)
    found = _rights(_catalog(environment))
    assert found[:3] + found[5:] == wanted[:3] + wanted[5:]
    _empty(environment)
    environment.execute("DROP ROLE master")
    _arrange(environment)
