"""Any database comes back on an empty server as it was: pg_dump and pg_dumpall of both sides say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from runbook.datastores import BACKUP_ROLE
from tests.oracles import databases
from tests.oracles.databases import PLACE, Built, quoted
from tests.services import ops_environment, whole_database
from tests.services.ops_environment import PASSWORDS, Environment
from tests.services.servers import SUPERUSER, Server

# Each takes five seconds: three in the suite, the same each time, and two hundred in `make oracles`.
_IN_SUITE = settings().max_examples <= 100
_EXAMPLES = 3 if _IN_SUITE else settings().max_examples // 20


@dataclass(frozen=True, slots=True)
class _Servers:
    environment: Environment
    new: Server

    def on(self, server: Server, database: str) -> None:
        """Have ``ops`` work with a database of a server."""
        place = {"host": server.host, "port": server.port, "database": database}
        self.environment.configure(postgres=self.environment.settings["postgres"] | place)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Servers]:
    with ops_environment.running(tmp_path_factory.mktemp("ops")) as environment, ops_environment.postgres() as new:
        environment.execute(f"ALTER ROLE {BACKUP_ROLE} BYPASSRLS")
        yield _Servers(environment, new)


@pytest.mark.timeout(3600)
@settings(
    max_examples=_EXAMPLES,
    derandomize=_IN_SUITE,
    # Without the one that makes a failing example smaller: it would take an hour.
    phases=(Phase.generate,),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much),
)
@given(databases.built(), st.sampled_from(("db", 'We"ird d.b')))
def test_a_restored_database_is_equal_to_the_one_that_was_saved(servers: _Servers, built: Built, name: str) -> None:
    environment, old = servers.environment, servers.environment.database
    try:
        _build(environment, built, name)
        servers.on(old, name)
        saved = environment.ops("backup", "postgres", "--json")
        assert saved.code == 0, saved.stderr

        servers.on(servers.new, name)
        restored = environment.ops("restore", "postgres", "--id", saved.json["id"], "--yes", "--json")

        assert restored.code == 0, restored.stderr
        assert _dumped(servers.new, name) == _dumped(old, name)
        # Those that have nothing to do with the database stay away; pg_restore misses each other one.
        names = _names(servers.new)
        assert _roles(servers.new, names) == _roles(old, names)
    finally:
        ops_environment.empty_postgres(servers.new)
        _forget(environment, built, name)


def _build(environment: Environment, built: Built, name: str) -> None:
    with environment.connect("postgres") as connection:
        for statement in built.role_statements:
            connection.execute(statement.encode())
        connection.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE template0 {built.creation}".encode())
    with environment.connect(name) as connection:
        for statement in built.statements:
            connection.execute(statement.encode())
        for (number,) in connection.execute("SELECT oid FROM pg_largeobject_metadata").fetchall():
            allowed = sql.SQL("GRANT SELECT ON LARGE OBJECT {} TO {}")
            connection.execute(allowed.format(number, sql.Identifier(BACKUP_ROLE)))
        connection.execute(f"GRANT CONNECT ON DATABASE {quoted(name)} TO {BACKUP_ROLE}".encode())
        for statement in built.properties:
            connection.execute(statement.replace(PLACE, quoted(name)).encode())
        connection.execute(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS true".encode())


def _forget(environment: Environment, built: Built, name: str) -> None:
    with environment.connect("postgres") as connection:
        connection.execute(f"ALTER DATABASE {quoted(name)} IS_TEMPLATE false".encode())
        connection.execute(f"DROP DATABASE {quoted(name)} WITH (FORCE)".encode())
        for role in built.roles:
            connection.execute(f"DROP ROLE IF EXISTS {quoted(role)}".encode())


def _names(server: Server) -> list[str]:
    with psycopg.connect(
        host=server.host, port=server.port, user=SUPERUSER, password=PASSWORDS["superuser"], dbname="postgres"
    ) as connection:
        return [str(row[0]) for row in connection.execute("SELECT rolname FROM pg_roles WHERE oid >= 16384").fetchall()]


def _dumped(server: Server, name: str) -> list[str]:
    return whole_database.comparable(whole_database.dumped(server, SUPERUSER, PASSWORDS["superuser"], name))


def _roles(server: Server, names: list[str]) -> list[str]:
    return whole_database.roles(server, SUPERUSER, PASSWORDS["superuser"], names)
