"""What PostgreSQL writes into its log with the settings that the program declares."""

from __future__ import annotations

import psycopg

from components.postgres import postgresql_conf
from runbook.settings import PostgresSettings
from tests.services import servers


def test_a_slow_statement_is_in_the_log_and_its_values_are_not() -> None:
    lines = [line.split(" = ") for line in postgresql_conf(PostgresSettings()).splitlines()]
    # A limit of 500 ms would only make the test slow.
    settings = {name: value.strip("'") for name, value in lines if name.startswith("log_")}
    settings["log_min_duration_statement"] = "0"

    with servers.postgres("superuser-password", settings) as server:
        address = f"postgresql://{servers.SUPERUSER}:superuser-password@{server.host}:{server.port}/postgres"
        with psycopg.connect(address) as connection:
            connection.execute("SELECT %s::text AS session_of_a_user", ["hunter2"])
        log = server.log.read_text()

    assert "session_of_a_user" in log
    assert "hunter2" not in log
