"""``ops db reap-idle``, ``connections`` and ``slow`` against a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runbook.datastores import BACKUP_ROLE, DATABASE, REAPER_ROLE, SERVICES_ROLE
from tests.services import ops_environment
from tests.services.ops_environment import PASSWORDS, Environment
from tests.services.servers import SUPERUSER, Server
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_HUSH = "'hush'"
_OTHERS = {
    SUPERUSER: PASSWORDS["superuser"],
    SERVICES_ROLE: PASSWORDS["services"],
    BACKUP_ROLE: PASSWORDS["backup"],
    "replicator": "replicator",
    "colleague": "colleague",
}

Session = Callable[..., psycopg.Connection]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as started:
        with started.connect() as connection:
            connection.execute("CREATE ROLE replicator LOGIN REPLICATION PASSWORD 'replicator'")
            connection.execute("CREATE ROLE colleague LOGIN PASSWORD 'colleague'")
        yield started


@pytest.fixture
def session(environment: Environment) -> Iterator[Session]:
    with ExitStack() as opened:

        def connect(
            application: str, user: str = SERVICES_ROLE, database: str = DATABASE, *, autocommit: bool = True
        ) -> psycopg.Connection:
            connection = psycopg.connect(
                host=environment.database.host,
                port=environment.database.port,
                user=user,
                password=_OTHERS[user],
                dbname=database,
                application_name=application,
                autocommit=autocommit,
            )
            opened.callback(connection.close)
            connection.execute("SELECT 1")
            return connection

        yield connect


@contextmanager
def _without(environment: Environment, *roles: str) -> Generator[None]:
    """The reaper on a server whose operator gives it less."""
    # Sessions of their own: one that stayed open would be an idle one itself.
    with environment.connect() as connection:
        connection.execute(f"REVOKE {', '.join(roles)} FROM {REAPER_ROLE}".encode())
    try:
        yield
    finally:
        with environment.connect() as connection:
            connection.execute(f"GRANT {', '.join(roles)} TO {REAPER_ROLE}".encode())


def _await_age(environment: Environment, seconds: int, sessions: int) -> None:
    def old() -> int:
        ages = environment.rows(
            "SELECT extract(epoch FROM clock_timestamp() - state_change) FROM pg_stat_activity "
            "WHERE state = 'idle' AND application_name ~ '^(test|ops restore)'"
        )
        return sum(age > seconds for (age,) in ages)

    wait_until(lambda: old() == sessions, f"{sessions} sessions are idle for {seconds} s")


def _lives(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def test_idle_sessions_end_and_are_counted_by_user_and_application(environment: Environment, session: Session) -> None:
    idle = [session("test gateway"), session("test gateway"), session("test sentiment")]
    elsewhere = session("test elsewhere", database="postgres")
    _await_age(environment, 1, 4)

    answer = environment.ops("db", "reap-idle", "--older-than", "1", "--json")

    assert answer.code == 0, answer.stderr
    assert answer.json["ended"] == 3
    groups = [(group["user"], group["application"], group["count"]) for group in answer.json["by_client"]]
    assert groups == [(SERVICES_ROLE, "test gateway", 2), (SERVICES_ROLE, "test sentiment", 1)]
    assert not any(_lives(connection) for connection in idle)
    assert _lives(elsewhere)


def test_a_second_run_finds_nothing_to_end(environment: Environment) -> None:
    answer = environment.ops("db", "reap-idle", "--older-than", "1", "--json")

    assert (answer.code, answer.json["ended"], answer.json["by_client"]) == (0, 0, [])


def test_a_dry_run_ends_nothing_and_says_what_it_would(environment: Environment, session: Session) -> None:
    idle = session("test gateway")
    _await_age(environment, 1, 1)

    answer = environment.ops("db", "reap-idle", "--older-than", "1", "--dry-run", "--json")
    people = environment.ops("db", "reap-idle", "--older-than", "1", "--dry-run")

    assert (answer.code, answer.json["ended"]) == (0, 1)
    assert "Would end 1 sessions" in people.stdout
    assert _lives(idle)


def test_without_an_age_it_is_the_runbooks_30_minutes(environment: Environment, session: Session) -> None:
    idle = session("test gateway")
    _await_age(environment, 1, 1)

    answer = environment.ops("db", "reap-idle", "--json")

    assert (answer.json["limit_seconds"], answer.json["ended"]) == (1800, 0)
    assert _lives(idle)


def test_an_open_transaction_and_a_running_statement_are_not_idle(environment: Environment, session: Session) -> None:
    open_transaction = session("test open", autocommit=False)
    working = session("test working")
    idle = session("test idle")
    thread = threading.Thread(target=_quietly, args=(working, "SELECT pg_sleep(30)"), daemon=True)
    thread.start()
    _await_age(environment, 1, 1)

    planned = environment.ops("db", "reap-idle", "--older-than", "1", "--dry-run", "--json")
    answer = environment.ops("db", "reap-idle", "--older-than", "1", "--json")

    for run in (planned, answer):
        assert [group["application"] for group in run.json["by_client"]] == ["test idle"]
    assert not _lives(idle)
    assert _lives(open_transaction)
    assert environment.rows("SELECT state FROM pg_stat_activity WHERE application_name = 'test working'") == [
        ("active",)
    ]
    working.cancel_safe()
    thread.join(10)


def test_the_age_is_that_of_the_idleness_and_not_that_of_the_last_statement(
    environment: Environment, session: Session
) -> None:
    rested = session("test rested")
    _await_age(environment, 1, 1)
    worked = session("test worked")
    # Begun longer ago than the limit and ended just now.
    worked.execute("SELECT pg_sleep(12)")

    answer = environment.ops("db", "reap-idle", "--older-than", "10", "--json")

    assert [group["application"] for group in answer.json["by_client"]] == ["test rested"]
    assert not _lives(rested)
    assert _lives(worked)


def test_superusers_replication_backups_and_ops_itself_are_spared_even_by_who_may_end_them(
    environment: Environment, session: Session
) -> None:
    spared = [
        session("test superuser", SUPERUSER),
        session("test replication", "replicator"),
        session("test backup", BACKUP_ROLE),
        session("ops restore"),
    ]
    colleague = session("test colleague", "colleague")
    _await_age(environment, 1, 5)
    answer = environment.ops("db", "reap-idle", "--older-than", "1", "--json")

    assert [group["application"] for group in answer.json["by_client"]] == ["test colleague"]
    assert not _lives(colleague)
    assert answer.json["spared"] == 4
    assert all(_lives(connection) for connection in spared)


def test_sessions_of_others_are_left_alone_and_told_by_a_login_without_rights(
    environment: Environment, session: Session
) -> None:
    colleague = session("test colleague", "colleague")
    _await_age(environment, 1, 1)
    with _without(environment, "pg_monitor", "pg_signal_backend"):
        unseen = environment.ops("db", "reap-idle", "--older-than", "1", "--json")
    with _without(environment, "pg_signal_backend"):
        seen = environment.ops("db", "reap-idle", "--older-than", "1", "--json")

    assert (unseen.code, unseen.json["ended"]) == (0, 0)
    assert unseen.json["hidden"] >= 1
    assert (seen.code, seen.json["ended"], seen.json["not_permitted"]) == (0, 0, 1)
    assert _lives(colleague)


def _quietly(connection: psycopg.Connection, statement: str) -> None:
    with suppress(psycopg.Error):
        connection.execute(statement.encode())


def test_connections_are_counted_by_user_application_and_state_against_the_limit(
    environment: Environment, session: Session
) -> None:
    held = [session("test gateway"), session("test gateway"), session("test gateway", autocommit=False)]
    answer = environment.ops("db", "connections", "--json")
    people = environment.ops("db", "connections")

    groups = {(group["application"], group["state"]): group["count"] for group in answer.json["groups"]}
    assert len(held) == 3
    assert groups["test gateway", "idle"] == 2
    assert groups["test gateway", "idle in transaction"] == 1
    assert answer.json["used"] == sum(groups.values())
    assert (answer.json["max_connections"], answer.json["limit"]) == (100, 0.8)
    assert answer.json["over_limit"] is False
    assert "test gateway" in people.stdout


def test_any_name_of_an_application_is_shown_as_it_is(environment: Environment, session: Session) -> None:
    names = ["[/red]", "[blue]gateway", ":smile:", "x[/.]+"]
    held = [session(name) for name in names]

    answer = environment.ops("db", "connections")

    assert len(held) == len(names)
    assert answer.code == 0, answer.stderr
    assert set(names) <= set(answer.stdout.split())


def test_long_statements_are_shown_without_their_values_and_with_whom_they_wait_for(
    environment: Environment, session: Session
) -> None:
    holder = session("test holder", autocommit=False)
    holder.execute("SELECT pg_advisory_xact_lock(4711)")
    waiting = session("test waiting")
    statement = "SELECT pg_advisory_xact_lock(4711), 'a secret value' /* another secret */"
    thread = threading.Thread(target=_quietly, args=(waiting, statement), daemon=True)
    thread.start()

    def waits() -> list[dict[str, Any]]:
        long = environment.ops("db", "connections", "--json").json["long"]
        return [item for item in long if item["application"] == "test waiting"]

    wait_until(lambda: bool(waits()), "the statement is older than 500 ms")
    found = waits()[0]
    everything = environment.ops("db", "connections").stdout + environment.ops("db", "connections", "--json").stdout
    holder.rollback()
    thread.join(10)

    assert found["statement"] == "SELECT pg_advisory_xact_lock(?), ?"
    assert found["waits_for"] == [holder.info.backend_pid]
    assert "secret" not in everything
    assert "4711" not in everything


def _slow(environment: Environment, *arguments: str) -> list[dict[str, Any]]:
    answer = environment.ops("db", "slow", "--json", *arguments)
    assert answer.code == 0, answer.stderr
    return answer.json["statements"]


def _recorded(environment: Environment, session: Session) -> None:
    with environment.connect() as connection:
        connection.execute("SELECT pg_stat_statements_reset()")
    worker = session("test worker")
    worker.execute("SELECT pg_sleep(0.7)")
    for count in range(1, 13):
        worker.execute(f"SELECT {', '.join([_HUSH] * count)}".encode())


def test_the_ten_statements_that_take_most_time_are_shown_and_the_slow_ones_marked(
    environment: Environment, session: Session
) -> None:
    _recorded(environment, session)
    found = _slow(environment)
    people = environment.ops("db", "slow", "--by", "mean")

    assert len(found) == 10
    assert found[0]["statement"] == "SELECT pg_sleep($1)"
    assert (found[0]["slow"], found[0]["calls"]) == (True, 1)
    assert found[0]["mean_ms"] >= 700
    assert not any(item["slow"] for item in found[1:])
    assert any(line.startswith("slow") and "pg_sleep" in line for line in people.stdout.splitlines())
    assert "hush" not in people.stdout


def test_the_columns_from_before_postgresql_13_are_understood(environment: Environment, session: Session) -> None:
    with environment.connect() as connection:
        connection.execute("DROP EXTENSION pg_stat_statements")
        missing = environment.ops("db", "slow", "--json")
        connection.execute("CREATE EXTENSION pg_stat_statements VERSION '1.7'")
        try:
            columns = environment.rows("SELECT * FROM pg_stat_statements LIMIT 0") == []
            _recorded(environment, session)
            found = _slow(environment, "--by", "mean")
        finally:
            connection.execute("DROP EXTENSION pg_stat_statements")
            connection.execute("CREATE EXTENSION pg_stat_statements")

    assert columns
    assert found[0]["slow"] is True
    assert "pg_sleep" in found[0]["statement"]
    assert missing.code == 2
    assert "CREATE EXTENSION pg_stat_statements" in missing.error


def test_a_password_in_a_statement_that_the_server_does_not_normalise_is_not_shown(
    environment: Environment, session: Session
) -> None:
    _recorded(environment, session)
    with environment.connect() as connection:
        connection.execute("ALTER ROLE colleague PASSWORD 'tell nobody'")
        connection.execute("ALTER ROLE colleague PASSWORD 'colleague'")
        recorded = environment.rows("SELECT query FROM pg_stat_statements WHERE query LIKE 'ALTER ROLE%'")
    found = environment.ops("db", "slow", "--by", "mean")
    long = environment.ops("db", "slow", "--json")

    assert any("tell nobody" in query for (query,) in recorded)
    assert "ALTER ROLE colleague PASSWORD ?" in found.stdout
    assert "tell nobody" not in found.stdout + long.stdout


def test_an_unknown_order_is_refused_by_what_is_allowed(environment: Environment) -> None:
    answer = environment.ops("db", "slow", "--by", "luck")

    assert answer.code == 2
    assert "give total or mean" in answer.error
