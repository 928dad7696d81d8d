"""``ops db maintain`` against a real PostgreSQL: missing, invalid and interrupted indexes, and vacuum by need."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.services import ops_environment
from tests.services.ops_environment import Answer, Environment, finish
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_INDEX = "idx_prices_coin_timestamp"
_DEFINITION = f'CREATE INDEX {_INDEX} ON public.prices USING btree (coin_id, "timestamp" DESC)'
_STATE = """
SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indexrelid = to_regclass('idx_prices_coin_timestamp')
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        yield environment


@pytest.fixture
def environment(started: Environment) -> Environment:
    """A freshly vacuumed table of prices without its index."""
    with started.connect(role="owner") as connection:
        connection.execute("DROP TABLE IF EXISTS prices, users")
        connection.execute(
            "CREATE TABLE prices (id bigserial PRIMARY KEY, coin_id text, price numeric, timestamp timestamptz) "
            "WITH (autovacuum_enabled = false)"
        )
        connection.execute(
            "INSERT INTO prices (coin_id, price, timestamp) "
            "SELECT 'coin' || i % 50, i, now() - i * interval '1 s' FROM generate_series(1, 5000) i"
        )
    _vacuum(started, "prices", 5000)
    return started


def _vacuum(environment: Environment, table: str, rows: int) -> None:
    """Vacuum once the server has counted the rows: a session tells of them late, and they would count as changes."""
    counted = "SELECT relname, n_live_tup FROM pg_stat_user_tables"
    wait_until(lambda: (table, rows) in environment.rows(counted), "the rows are counted")
    with environment.connect(role="owner") as connection:
        connection.execute(f"VACUUM ANALYZE {table}".encode())


def _maintain(environment: Environment, *arguments: str) -> Answer:
    return environment.ops("db", "maintain", "--json", *arguments)


def _index(answer: Answer) -> dict[str, Any]:
    (found,) = answer.json["indexes"]
    assert found["name"] == _INDEX
    return found


def _state(environment: Environment) -> list[tuple[Any, ...]]:
    return environment.rows(_STATE)


def _building(environment: Environment) -> bool:
    return bool(environment.rows("SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"))


@contextmanager
def _open_write(environment: Environment) -> Generator[psycopg.Connection]:
    """A transaction that has written a price and is still open: a build has to wait for it."""
    with environment.connect(role="owner") as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO prices (coin_id, price, timestamp) VALUES ('open', 1, now())")
        yield connection


def _invalidate(environment: Environment) -> None:
    """Interrupt a build, which leaves the index invalid."""
    with _open_write(environment), environment.connect(role="owner") as builder:
        builder.execute("SET lock_timeout = '200ms'")
        with pytest.raises(errors.LockNotAvailable):
            builder.execute(f"CREATE INDEX CONCURRENTLY {_INDEX} ON prices (coin_id, timestamp DESC)".encode())
    assert [valid for valid, _ in _state(environment)] == [False]


def test_a_missing_index_is_built_once(environment: Environment) -> None:
    first, second = _maintain(environment), _maintain(environment)

    assert (first.code, _index(first)["action"]) == (0, "built")
    assert (second.code, _index(second)["action"]) == (0, "present")
    assert _state(environment) == [(True, _DEFINITION)]


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(environment: Environment) -> None:
    with environment.connect(role="owner") as connection:
        connection.execute("DELETE FROM prices WHERE id <= 2500")
    wait_until(lambda: _dead(environment) == 2500, "the dead rows are counted")

    answer = _maintain(environment, "--dry-run")
    people = environment.ops("db", "maintain", "--dry-run")

    assert (answer.code, _index(answer)["action"]) == (0, "built")
    assert [done["table"] for done in answer.json["vacuumed"]] == ["prices"]
    assert f"index {_INDEX} would be built" in people.stdout
    assert "table prices would be vacuumed: 50% of its rows are dead" in people.stdout
    assert _state(environment) == []
    assert _dead(environment) == 2500


def test_an_index_that_an_interrupted_build_left_invalid_is_dropped_and_rebuilt(environment: Environment) -> None:
    _invalidate(environment)

    answer = _maintain(environment)

    assert (answer.code, _index(answer)["action"]) == (0, "rebuilt")
    assert _state(environment) == [(True, _DEFINITION)]


def test_writers_go_on_while_the_index_is_built(environment: Environment) -> None:
    with _open_write(environment) as holder:
        running = environment.start("db", "maintain", "--json")
        wait_until(lambda: _building(environment), "the build waits for the open transaction")
        with environment.connect(role="owner") as writer:
            writer.execute("SET lock_timeout = '1s'")
            writer.execute("INSERT INTO prices (coin_id, price, timestamp) VALUES ('other', 2, now())")
            writer.execute("UPDATE prices SET price = 3 WHERE coin_id = 'other'")
        holder.execute("COMMIT")
        answer = finish(running)

    assert (answer.code, _index(answer)["action"]) == (0, "built")
    assert environment.rows("SELECT count(*) FROM prices WHERE coin_id IN ('open', 'other')") == [(2,)]


def test_a_build_that_must_wait_too_long_leaves_nothing_behind_and_is_retried(environment: Environment) -> None:
    with environment.connect(role="owner") as connection:
        connection.execute("CREATE TABLE users (id int) WITH (autovacuum_enabled = false)")
        connection.execute("INSERT INTO users SELECT generate_series(1, 100)")
        connection.execute("DELETE FROM users WHERE id <= 50")
    # A snapshot as old as the whole build, of a transaction that never touched the table.
    with environment.connect(role="owner") as old:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT 1")
        first = _maintain(environment, "--lock-wait", "0.3")
        state = _state(environment)
    second = _maintain(environment)

    assert (first.code, _index(first)["action"]) == (75, "failed")
    assert "lock timeout" in _index(first)["note"]
    assert state == []
    # The vacuum does not depend on it.
    assert [done["table"] for done in first.json["vacuumed"]] == ["users"]
    assert (second.code, _index(second)["action"]) == (0, "built")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_in_the_middle_is_repaired_by_the_next(
    environment: Environment, number: signal.Signals
) -> None:
    with _open_write(environment):
        running = environment.start("db", "maintain", "--json")
        wait_until(lambda: _building(environment), "the build waits for the open transaction")
        running.send_signal(number)
        ended = finish(running)
        # The server notices by itself that the client is gone.
        wait_until(lambda: not _building(environment), "the server has given up the build", 40)
        left = _state(environment)
    answer = _maintain(environment)

    assert ended.code == (75 if number is signal.SIGTERM else -9)
    assert [valid for valid, _ in left] == [False]
    assert (answer.code, _index(answer)["action"]) == (0, "rebuilt")
    assert _state(environment) == [(True, _DEFINITION)]


def test_two_runs_do_not_meet(environment: Environment) -> None:
    with _open_write(environment) as holder:
        running = environment.start("db", "maintain", "--json")
        wait_until(lambda: _building(environment), "the first one builds")
        second = _maintain(environment)
        holder.execute("COMMIT")
        first = finish(running)

    assert second.code == 75
    assert "another maintenance of crypto_db is running" in second.error
    assert (first.code, _index(first)["action"]) == (0, "built")


def test_an_index_that_somebody_is_building_is_not_taken_for_an_interrupted_one(environment: Environment) -> None:
    with _open_write(environment) as holder, environment.connect(role="owner") as builder:
        number = builder.info.backend_pid
        statement = f"CREATE INDEX CONCURRENTLY {_INDEX} ON prices (coin_id, timestamp DESC)".encode()
        builder.pgconn.send_query(statement)
        wait_until(lambda: _building(environment), "somebody builds")
        answer = _maintain(environment)
        holder.execute("COMMIT")
        wait_until(lambda: [valid for valid, _ in _state(environment)] == [True], "it is built")

    assert (answer.code, _index(answer)["action"]) == (75, "failed")
    assert f"session {number} is building" in _index(answer)["note"]


def test_a_table_that_is_not_there_is_told_and_no_error(environment: Environment) -> None:
    with environment.connect(role="owner") as connection:
        connection.execute("DROP TABLE prices")

    answer = _maintain(environment)
    people = environment.ops("db", "maintain")

    assert (answer.code, _index(answer)["action"]) == (0, "no table")
    assert "table prices is not there yet" in people.stdout


def test_an_index_of_that_name_with_another_definition_is_kept_and_told(environment: Environment) -> None:
    with environment.connect(role="owner") as connection:
        connection.execute(f"CREATE INDEX {_INDEX} ON prices (coin_id, timestamp)".encode())
    before = _state(environment)

    answer = _maintain(environment)

    assert (answer.code, _index(answer)["action"]) == (0, "differs")
    assert '("coin_id", "timestamp" DESC)' in _index(answer)["note"]
    assert _state(environment) == before


def test_a_table_without_the_columns_fails_and_the_vacuum_is_done_all_the_same(environment: Environment) -> None:
    with environment.connect(role="owner") as connection:
        connection.execute("ALTER TABLE prices DROP COLUMN timestamp")
        connection.execute("DELETE FROM prices WHERE id <= 2500")
    wait_until(lambda: _dead(environment) == 2500, "the dead rows are counted")

    answer = _maintain(environment)

    assert (answer.code, _index(answer)["action"]) == (1, "failed")
    assert "timestamp" in _index(answer)["note"]
    assert [done["table"] for done in answer.json["vacuumed"]] == ["prices"]


_PARTITIONS = ("prices_2025", "prices_2026_h1", "prices_2026_h2", "prices_other")
_PARTS = """
SELECT t.relname::text, i.indisvalid FROM pg_partition_tree('prices') p JOIN pg_index i ON i.indrelid = p.relid
JOIN pg_class t ON t.oid = p.relid JOIN pg_inherits h ON h.inhrelid = i.indexrelid
WHERE pg_get_indexdef(i.indexrelid) LIKE '%(coin_id, "timestamp" DESC)' ORDER BY 1
"""


@pytest.fixture
def partitioned(environment: Environment) -> Environment:
    """Prices by year, one of the years by half, and a default partition."""
    with environment.connect(role="owner") as connection:
        connection.execute("DROP TABLE prices")
        connection.execute(
            "CREATE TABLE prices (coin_id text, price numeric, timestamp timestamptz) PARTITION BY RANGE (timestamp)"
        )
        connection.execute("CREATE TABLE prices_2025 PARTITION OF prices FOR VALUES FROM ('2025-1-1') TO ('2026-1-1')")
        connection.execute(
            "CREATE TABLE prices_2026 PARTITION OF prices FOR VALUES FROM ('2026-1-1') TO ('2027-1-1') "
            "PARTITION BY RANGE (timestamp)"
        )
        for name, first, last in (("h1", "2026-1-1", "2026-7-1"), ("h2", "2026-7-1", "2027-1-1")):
            bounds = f"FOR VALUES FROM ('{first}') TO ('{last}')"
            connection.execute(f"CREATE TABLE prices_2026_{name} PARTITION OF prices_2026 {bounds}".encode())
        connection.execute("CREATE TABLE prices_other PARTITION OF prices DEFAULT")
        connection.execute(
            "INSERT INTO prices SELECT 'coin' || i % 50, i, timestamptz '2025-10-1' + i * interval '1 h' "
            "FROM generate_series(1, 8000) i"
        )
    return environment


def _whole(environment: Environment) -> bool:
    """Whether every table of the tree has its valid part of the valid index."""
    tables = {*_PARTITIONS, "prices_2026"}
    return [valid for valid, _ in _state(environment)] == [True] and environment.rows(_PARTS) == [
        (name, True) for name in sorted(tables)
    ]


def test_the_index_of_a_partitioned_table_is_built_on_every_partition_and_attached(partitioned: Environment) -> None:
    dry, planned = _maintain(partitioned, "--dry-run"), _state(partitioned)
    people = partitioned.ops("db", "maintain", "--dry-run")
    first, second = _maintain(partitioned), _maintain(partitioned)
    note = (
        "concurrently on 4 of 4 partitions (prices_2025, prices_other, prices_2026_h1, prices_2026_h2),"
        " all attached to an index on ONLY prices"
    )

    assert (dry.code, _index(dry)["action"], _index(dry)["note"], planned) == (0, "built", note, [])
    assert f"index {_INDEX} would be built: {note}" in people.stdout
    assert (first.code, _index(first)["action"], _index(first)["note"]) == (0, "built", note)
    assert _whole(partitioned)
    assert (second.code, _index(second)["action"]) == (0, "present")


def test_a_partition_that_comes_later_has_its_part(partitioned: Environment) -> None:
    _maintain(partitioned)
    with partitioned.connect(role="owner") as connection:
        connection.execute("CREATE TABLE prices_2027 PARTITION OF prices FOR VALUES FROM ('2027-1-1') TO ('2028-1-1')")
        connection.execute("CREATE TABLE prices_2028 (LIKE prices)")
        connection.execute(
            "ALTER TABLE prices ATTACH PARTITION prices_2028 FOR VALUES FROM ('2028-1-1') TO ('2029-1-1')"
        )

    assert {("prices_2027", True), ("prices_2028", True)} <= set(partitioned.rows(_PARTS))
    assert _index(_maintain(partitioned))["action"] == "present"


def test_what_a_partition_has_already_is_attached_and_not_built_again(partitioned: Environment) -> None:
    with partitioned.connect(role="owner") as connection:
        connection.execute("CREATE INDEX mine ON prices_2025 (coin_id, timestamp DESC)")
        connection.execute(f"CREATE INDEX {_INDEX}_prices_other ON prices_other (price)".encode())
    refused = _maintain(partitioned)
    with partitioned.connect(role="owner") as connection:
        connection.execute(f"ALTER INDEX {_INDEX}_prices_other RENAME TO theirs".encode())
    answer = _maintain(partitioned)

    assert (refused.code, _index(refused)["action"]) == (1, "failed")
    assert "prices_other has another definition and is kept" in _index(refused)["note"]
    assert (answer.code, _index(answer)["action"]) == (0, "rebuilt")
    assert "on 1 of 4 partitions" in _index(answer)["note"]
    assert _whole(partitioned)
    assert partitioned.rows(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'prices_2025'::regclass"
    ) == [("mine",)]


def test_a_partition_that_can_have_no_index_is_named_also_in_a_dry_run(partitioned: Environment) -> None:
    with partitioned.connect(role="superuser") as connection:
        connection.execute("CREATE FOREIGN DATA WRAPPER elsewhere")
        connection.execute("CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere")
        connection.execute(
            "CREATE FOREIGN TABLE prices_2020 PARTITION OF prices FOR VALUES FROM ('2020-1-1') TO ('2021-1-1') "
            "SERVER elsewhere"
        )
    try:
        answers = [_maintain(partitioned, "--dry-run"), _maintain(partitioned)]
    finally:
        with partitioned.connect(role="superuser") as connection:
            connection.execute("DROP FOREIGN DATA WRAPPER elsewhere CASCADE")

    for answer in answers:
        assert (answer.code, _index(answer)["action"]) == (1, "failed")
        assert "the partition prices_2020 is a foreign table, which has no indexes" in _index(answer)["note"]


def test_writers_of_partitions_go_on_while_their_index_is_built(partitioned: Environment) -> None:
    with _open_write(partitioned) as holder:
        running = partitioned.start("db", "maintain", "--json")
        wait_until(lambda: _waits_for_lock(partitioned), "it waits for the open transaction")
        for _ in range(20):
            with partitioned.connect(role="owner") as writer:
                writer.execute("SET lock_timeout = '2s'")
                writer.execute("INSERT INTO prices VALUES ('other', 2, '2026-3-1'), ('other', 2, '2025-3-1')")
        holder.execute("COMMIT")
        answer = finish(running)

    assert (answer.code, _index(answer)["action"]) == (0, "built")
    assert _whole(partitioned)
    assert partitioned.rows("SELECT count(*) FROM prices WHERE coin_id = 'other'") == [(40,)]


def _waits_for_lock(environment: Environment) -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'ops maintain' AND wait_event_type = 'Lock'"
    return bool(environment.rows(waiting))


def test_a_lock_that_is_not_to_be_had_is_temporary_and_the_next_run_goes_on(partitioned: Environment) -> None:
    with _open_write(partitioned):
        first = _maintain(partitioned, "--lock-wait", "0.5")
    second = _maintain(partitioned)

    assert (first.code, _index(first)["action"]) == (75, "failed")
    assert (second.code, _index(second)["action"]) == (0, "built")
    assert _whole(partitioned)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_between_partitions_is_gone_on_with(
    partitioned: Environment, number: signal.Signals
) -> None:
    # The parent is free, and one of the last partitions is not: the others are built by then.
    with partitioned.connect(role="owner") as holder:
        holder.execute("BEGIN")
        holder.execute("INSERT INTO prices_2026_h2 VALUES ('open', 1, '2026-8-1')")
        running = partitioned.start("db", "maintain", "--json")
        wait_until(lambda: _building(partitioned), "a partition's build waits for the open transaction")
        running.send_signal(number)
        ended = finish(running)
        wait_until(lambda: not _building(partitioned), "the server has given up the build", 40)
        left = partitioned.rows(
            "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indexrelid::regclass::text LIKE 'idx%'"
        )
    answer = _maintain(partitioned)

    assert ended.code == (75 if number is signal.SIGTERM else -9)
    assert left[0][0] > 0
    assert (answer.code, _index(answer)["action"]) == (0, "rebuilt")
    assert _whole(partitioned)
    assert partitioned.rows("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]


def _dead(environment: Environment) -> int:
    return int(environment.rows("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'prices'")[0][0])


def test_only_tables_in_need_are_vacuumed(environment: Environment) -> None:
    assert _maintain(environment).code == 0
    with environment.connect(role="owner") as connection:
        connection.execute("CREATE TABLE users (id int) WITH (autovacuum_enabled = false)")
        connection.execute("INSERT INTO users SELECT generate_series(1, 100)")
        connection.execute("DELETE FROM prices WHERE id <= 2500")
    _vacuum(environment, "users", 100)
    wait_until(lambda: _dead(environment) == 2500, "the dead rows are counted")

    first, second = _maintain(environment), _maintain(environment)

    assert first.code == second.code == 0
    assert [(done["table"], done["dead"], done["dead_after"]) for done in first.json["vacuumed"]] == [
        ("prices", 2500, 0)
    ]
    assert first.json["tables"] == 2
    assert second.json["vacuumed"] == []


def test_a_table_that_somebody_has_locked_is_skipped_and_told(environment: Environment) -> None:
    assert _maintain(environment).code == 0
    with environment.connect(role="owner") as connection:
        connection.execute("DELETE FROM prices WHERE id <= 2500")
        wait_until(lambda: _dead(environment) == 2500, "the dead rows are counted")
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE prices IN SHARE MODE")
        answer = _maintain(environment, "--lock-wait", "0.3")

    assert answer.code == 75
    assert [(done["table"], done["note"]) for done in answer.json["vacuumed"]] == [
        ("prices", "canceling statement due to lock timeout")
    ]


def test_a_deadline_ends_it_with_code_75_and_the_server_stops_too(environment: Environment) -> None:
    with _open_write(environment):
        answer = _maintain(environment, "--deadline", "3")
        building = _building(environment)

    assert answer.code == 75
    assert not building
    assert "deadline of 3 s" in answer.error
