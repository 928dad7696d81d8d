"""``ops restore postgres`` and ``ops backups list`` against a real PostgreSQL and a real S3 endpoint, with faults."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg import sql

from runbook.datastores import BACKUP_ROLE, DATABASE, DATABASE_OWNER
from scripts import config
from scripts.backup import postgres_restore, properties, toc
from scripts.backup.catalog import Selection
from scripts.backup.pipeline import decompress
from scripts.exits import CheckFailedError
from tests.services import ops_environment
from tests.services.faulty_s3 import Slow
from tests.services.ops_environment import BUCKET, PREFIX, Environment, await_log, finish, populate
from tests.services.ops_process import OpsProcess
from tests.services.servers import SUPERUSER, Server
from tests.waiting import stop, wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_PRICES = 200_000
_STAND_INS = "SELECT rolname FROM pg_roles WHERE rolname LIKE '%\\_restore\\_%'"


@pytest.fixture(scope="module")
def servers_and_backup(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server
) -> Iterator[tuple[Environment, dict[str, bytes]]]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=500, prices=_PRICES)
        with environment.connect() as connection:
            name, owner, backup = (sql.Identifier(text) for text in (DATABASE, DATABASE_OWNER, BACKUP_ROLE))
            connection.execute(sql.SQL("ALTER DATABASE {} SET search_path = '$user', public, extra").format(name))
            connection.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} SET work_mem = '7MB'").format(owner, name))
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, backup))
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS 'prices and users'").format(name))
            statement = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT SELECT ON TABLES TO {}"
            connection.execute(sql.SQL(statement).format(owner, backup))
        backup_id = environment.backup()
        folder = f"{PREFIX}postgres/{backup_id}/"
        saved = {
            name: environment.s3.get_object(Bucket=BUCKET, Key=folder + name)["Body"].read()
            for name in ("dump.zst", "manifest.json")
        }
        yield environment, saved | {"id": backup_id.encode()}


@pytest.fixture
def saved(servers_and_backup: tuple[Environment, dict[str, bytes]]) -> dict[str, bytes]:
    """The content of the one backup, by object."""
    return servers_and_backup[1]


@pytest.fixture
def environment(servers_and_backup: tuple[Environment, dict[str, bytes]], saved: dict[str, bytes]) -> Environment:
    """The environment with exactly that backup in its bucket."""
    environment = servers_and_backup[0]
    environment.reset()
    for name in ("dump.zst", "manifest.json"):
        _put(environment, saved["id"].decode(), name, saved[name])
    return environment


def _put(environment: Environment, backup: str, name: str, content: bytes) -> None:
    environment.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{backup}/{name}", Body=content)


def _changed(saved: dict[str, bytes], **changes: Any) -> bytes:
    return json.dumps(json.loads(saved["manifest.json"]) | changes).encode()


def test_a_restore_brings_every_row_back_and_keeps_the_old_database(environment: Environment) -> None:
    with environment.connect() as connection:
        connection.execute("INSERT INTO users (email) VALUES ('after the backup')")

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert answer.json["rows"] == 500 + _PRICES
    assert environment.rows("SELECT count(*) FROM users") == [(500,)]
    assert environment.rows("SELECT count(*) FROM prices") == [(_PRICES,)]
    kept = answer.json["kept"]
    assert environment.databases() == sorted([DATABASE, kept])
    assert environment.rows("SELECT count(*) FROM users", kept) == [(501,)]


def test_owners_grants_settings_and_extensions_survive_and_the_backup_role_can_save_it_again(
    environment: Environment,
) -> None:
    facts = """
        SELECT pg_get_userbyid(datdba), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a),
               shobj_description(oid, 'pg_database'),
               (SELECT array_agg(setconfig::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid),
               (SELECT array_agg(tablename || tableowner ORDER BY tablename) FROM pg_tables
                WHERE schemaname = 'public'),
               (SELECT array_agg(extname::text ORDER BY extname) FROM pg_extension),
               (SELECT array_agg(a::text ORDER BY a::text) FROM pg_default_acl, unnest(defaclacl) a)
        FROM pg_database d WHERE datname = current_database()
    """
    before = environment.rows(facts)
    assert before[0][3] is not None
    assert before[0][6] is not None

    restored = environment.ops("restore", "postgres", "--yes", "--json")
    again = environment.ops("backup", "postgres", "--json")

    assert restored.code == 0, restored.stderr
    assert environment.rows(facts) == before
    assert again.code == 0, again.stderr
    assert again.json["rows"] == restored.json["rows"]
    with environment.connect(role="owner") as connection:
        connection.execute("INSERT INTO users (email) VALUES ('sequences go on')")
        connection.execute("DELETE FROM users WHERE email = 'sequences go on'")


def test_clients_that_keep_reconnecting_cannot_stop_the_swap_and_find_the_new_database(
    environment: Environment,
) -> None:
    stop, served = threading.Event(), 0

    def serve() -> None:
        nonlocal served
        while not stop.is_set():
            try:
                with environment.connect(role="owner") as connection:
                    while not stop.is_set():
                        connection.execute("SELECT count(*) FROM empty_table")
                        served += 1
            except psycopg.OperationalError:
                continue

    clients = [threading.Thread(target=serve) for _ in range(8)]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: served > 20, "the clients are served")
        answer = environment.ops("restore", "postgres", "--yes", "--json")
        after = served
        wait_until(lambda: served > after + 20, "the clients are served again")
    finally:
        stop.set()
        for client in clients:
            client.join()

    assert answer.code == 0, answer.stderr


def test_a_restore_into_another_name_leaves_the_database_alone(environment: Environment) -> None:
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--into", "scratch", "--json")

    assert answer.code == 0, answer.stderr
    assert environment.rows("SELECT count(*) FROM prices", "scratch") == [(_PRICES,)]
    assert [row for row in environment.state() if row[1] != "scratch"] == before
    refused = environment.ops("restore", "postgres", "--into", "scratch", "--json")
    assert refused.code == 2
    assert "database scratch exists already" in refused.json["error"]


def test_an_archive_whose_list_is_longer_than_what_is_read_at_first_is_restored_too(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toc, "_FIRST_BYTES", 100)
    for name, value in environment.environment().items():
        monkeypatch.setenv(name, value)

    postgres_restore.run(config.load(str(environment.config)), Selection(), into="long_list")

    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    assert len(environment.rows(indexes)) == 3
    assert environment.rows(indexes, "long_list") == environment.rows(indexes)


def test_a_person_at_a_terminal_sees_how_far_it_is_and_a_result_of_its_own(environment: Environment) -> None:
    backup = environment.backup()
    terminal, other_end = os.openpty()
    with environment.faulty() as bucket:
        bucket.choice = lambda call: Slow(0.5) if call.operation == "GetObject" else None
        restore = ("restore", "postgres", "--id", backup, "--into", "seen", "--json")
        process = environment.start_anew(*restore, stderr=other_end)
        os.close(other_end)
        shown = b"".join(_until_closed(terminal)).decode()
        answer = json.loads(process.communicate(timeout=60)[0])
    assert (process.returncode, answer["database"]) == (0, "seen")
    for what in ("checking the object", "restoring"):
        assert re.search(rf"\r\x1b\[K{what}: \d+\.\d MB of \d+\.\d MB \(\d+%\)", shown), shown
    # Each line of the log is whole, and nothing of the others is left.
    lines = [line.rpartition("\r\x1b[K")[2] for line in shown.replace("\r\n", "\n").split("\n")]
    assert lines.pop() == ""
    assert len(lines) > 3
    assert [line for line in lines if not re.match(r"\d\d:\d\d:\d\d \w", line)] == []


def _until_closed(terminal: int) -> Iterator[bytes]:
    """What is written to a terminal; Linux answers with an error once nobody has its other end."""
    with suppress(OSError):
        while data := os.read(terminal, 2**16):
            yield data
    os.close(terminal)


def test_a_restore_into_a_server_that_lost_the_database_creates_it(environment: Environment) -> None:
    with environment.connect("postgres") as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE)))

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert answer.json["kept"] is None
    assert environment.rows("SELECT count(*) FROM users") == [(500,)]


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("truncated", 1, "the manifest says"),
        ("altered", 1, "its SHA-256 is"),
        ("missing object", 1, "it is missing"),
        ("newer format", 2, "has format 6 and this release of ops reads up to 5"),
        ("newer server", 2, "is of PostgreSQL"),
        ("damaged manifest", 1, "is no manifest in JSON"),
        ("incomplete manifest", 1, "is damaged: stored: must be given"),
        ("other database", 2, "is of database other_db, not of crypto_db"),
        ("rows that are not there", 1, "public.users has 500 instead of 501"),
    ],
)
def test_what_cannot_be_trusted_stops_before_anything_is_touched(
    environment: Environment, saved: dict[str, bytes], case: str, code: int, words: str
) -> None:
    _spoil(environment, saved, case)
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == code, answer.stderr
    assert words in answer.json["error"]
    assert environment.state() == before
    assert "Traceback" not in answer.stderr
    # Only what pg_restore itself must prove may ever have begun to fill a database.
    assert ("restore started" in answer.stderr) == (case == "rows that are not there")


def _spoil(environment: Environment, saved: dict[str, bytes], case: str) -> None:
    backup, dump, manifest = saved["id"].decode(), saved["dump.zst"], json.loads(saved["manifest.json"])
    middle = len(dump) // 2
    match case:
        case "truncated":
            _put(environment, backup, "dump.zst", dump[:-1])
        case "altered":
            _put(environment, backup, "dump.zst", dump[:middle] + bytes([dump[middle] ^ 1]) + dump[middle + 1 :])
        case "missing object":
            environment.s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{backup}/dump.zst")
        case "newer format":
            _put(environment, backup, "manifest.json", _changed(saved, formatVersion=6))
        case "newer server":
            _put(environment, backup, "manifest.json", _changed(saved, serverMajor=99))
        case "damaged manifest":
            _put(environment, backup, "manifest.json", saved["manifest.json"][:-20])
        case "incomplete manifest":
            del manifest["stored"]
            _put(environment, backup, "manifest.json", json.dumps(manifest).encode())
        case "other database":
            _put(
                environment,
                backup,
                "manifest.json",
                _changed(saved, database=manifest["database"] | {"name": "other_db"}),
            )
        case "rows that are not there":
            tables = [table | {"rows": table["rows"] + (table["name"] == "users")} for table in manifest["tables"]]
            _put(environment, backup, "manifest.json", _changed(saved, tables=tables))
        case _:
            raise AssertionError(case)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--id", "20200101T000000Z-00000000"), "there is no backup 20200101T000000Z-00000000"),
        (("--id", "yesterday"), "'yesterday' is no backup id"),
        (("--at", "2020-01-01T00:00:00Z"), "is as old as 2020-01-01T00:00:00Z"),
        (("--at", "2026-01-01 08:00"), "has no time zone"),
        (("--at", "08:00"), "is no time"),
        (("--id", "20200101T000000Z-00000000", "--at", "2020-01-01T00:00:00Z"), "give --id or --at, not both"),
    ],
)
def test_a_backup_that_does_not_exist_is_wrong_usage(
    environment: Environment, arguments: tuple[str, ...], words: str
) -> None:
    before = environment.state()

    answer = environment.ops("restore", "postgres", *arguments, "--yes", "--json")

    assert answer.code == 2
    assert words in answer.json["error"]
    assert environment.state() == before


def test_a_swap_that_nobody_confirmed_does_not_happen(environment: Environment) -> None:
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--json")

    assert answer.code == 2
    assert answer.json["error"] == "this replaces database crypto_db; confirm it with --yes"
    assert environment.state() == before


def test_a_dry_run_changes_nothing(environment: Environment) -> None:
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--dry-run", "--json")

    assert answer.code == 0
    assert answer.json["replaces"] is True
    assert environment.state() == before


def test_a_time_selects_the_newest_backup_that_is_not_younger(
    environment: Environment, saved: dict[str, bytes]
) -> None:
    snapshot = datetime.fromisoformat(json.loads(saved["manifest.json"])["snapshotAt"])
    backup = saved["id"].decode()
    younger = _copy_at(environment, saved, snapshot + timedelta(hours=2))

    for at, expected in ((snapshot + timedelta(hours=1), backup), (snapshot + timedelta(hours=3), younger)):
        answer = environment.ops("restore", "postgres", "--at", at.isoformat(), "--dry-run", "--json")
        assert answer.code == 0, answer.stderr
        assert answer.json["id"] == expected
    assert environment.ops("restore", "postgres", "--dry-run", "--json").json["id"] == younger


def _copy_at(environment: Environment, saved: dict[str, bytes], moment: datetime) -> str:
    """The backup once more, as if taken at another time."""
    copy = f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-00000001"
    _put(environment, copy, "dump.zst", saved["dump.zst"])
    _put(environment, copy, "manifest.json", _changed(saved, id=copy, snapshotAt=moment.isoformat()))
    return copy


def _begin_held(environment: Environment) -> tuple[OpsProcess, int]:
    """A restore whose pg_restore stands still in the middle, and that program's pid."""
    process = environment.start("restore", "postgres", "--yes", "--json")
    pid = int(await_log(process, "restore started")["pid"])
    stop(pid)
    wait_until(lambda: len(environment.databases()) == 2, "the fresh database exists")
    return process, pid


def test_a_restore_killed_in_the_middle_leaves_the_old_database_and_the_next_one_works(
    environment: Environment,
) -> None:
    before = environment.state()
    process, pid = _begin_held(environment)
    process.kill()
    process.wait()
    os.kill(pid, signal.SIGCONT)
    made = [row for row in environment.state() if str(row[1]).startswith(f"{DATABASE}_restore_")]
    # The fresh database and two stand-ins.
    assert len(made) == 3
    assert [row for row in environment.state() if row not in made] == before

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert environment.databases() == sorted([DATABASE, answer.json["kept"]])
    assert environment.rows(_STAND_INS) == []


def test_a_killed_pg_restore_leaves_everything_as_it_was(environment: Environment) -> None:
    before = environment.state()
    process, pid = _begin_held(environment)
    os.kill(pid, signal.SIGKILL)

    answer = finish(process)

    assert answer.code == 75
    assert "was killed by signal 9" in answer.json["error"]
    assert environment.state() == before


def test_sigterm_leaves_everything_as_it_was(environment: Environment) -> None:
    before = environment.state()
    process, pid = _begin_held(environment)
    process.send_signal(signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)

    answer = finish(process)

    assert answer.code == 75
    assert answer.json["error"] == "ended by SIGTERM; what was begun is undone, run it again"
    assert environment.state() == before


def test_a_second_restore_at_the_same_time_is_refused(environment: Environment) -> None:
    process, pid = _begin_held(environment)
    second = environment.ops("restore", "postgres", "--yes", "--json")
    os.kill(pid, signal.SIGCONT)
    first = finish(process)

    assert second.code == 75
    assert "another restore of crypto_db is running" in second.json["error"]
    assert first.code == 0, first.stderr


def test_a_backup_that_is_made_during_a_restore_has_none_of_its_stand_ins(environment: Environment) -> None:
    process, pid = _begin_held(environment)
    backup = environment.backup()
    os.kill(pid, signal.SIGCONT)
    assert finish(process).code == 0

    saved = environment.manifest(backup)["surroundings"]
    names = {role["name"] for role in saved["roles"]} | {each["member"] for each in saved["memberships"]}
    assert DATABASE_OWNER in names
    assert [name for name in names if "_restore_" in name] == []


def test_a_prepared_transaction_is_named_before_a_restore_begins(environment: Environment) -> None:
    with environment.connect(role="owner") as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO users (email) VALUES ('in doubt')")
        connection.execute("PREPARE TRANSACTION 'in-doubt'")
    before = environment.state()
    try:
        answer = environment.ops("restore", "postgres", "--yes", "--json")
        after = environment.state()
    finally:
        with environment.connect(role="owner") as connection:
            connection.execute("ROLLBACK PREPARED 'in-doubt'")

    assert answer.code == 75
    assert "prepared transaction 'in-doubt', which would stop the swap" in answer.json["error"]
    assert "restore started" not in answer.stderr
    assert after == before


def test_a_connection_that_breaks_during_the_download_is_taken_up_where_it_broke(environment: Environment) -> None:
    with environment.gated() as gate:
        process, pid = _begin_held(environment)
        gate.cut()
        os.kill(pid, signal.SIGCONT)
        answer = finish(process)

    assert gate.cuts > 0
    assert answer.code == 0, answer.stderr


def test_the_list_shows_complete_backups_newest_first_and_marks_unreadable_ones(
    environment: Environment, saved: dict[str, bytes]
) -> None:
    old = _copy_at(environment, saved, datetime(2026, 1, 1, 2, tzinfo=UTC))
    _put(environment, "20260102T020000Z-00000002", "manifest.json", b"{}")
    _put(environment, "20260103T020000Z-00000003", "dump.zst", b"a dump without a manifest is no backup")

    answer = environment.ops("backups", "list", "--json")
    people = environment.ops("backups", "list")

    assert answer.code == people.code == 0
    found = [(entry["id"], entry["readable"]) for entry in answer.json["backups"]]
    assert found == [(saved["id"].decode(), True), ("20260102T020000Z-00000002", False), (old, True)]
    lines = people.stdout.splitlines()
    assert lines[0].split() == ["KIND", "ID", "AGE", "COUNT", "SIZE", "STORED", "PROVEN"]
    assert [line.split()[1] for line in lines[1:4]] == [name for name, _ in found]
    damaged = f"postgres: manifest {PREFIX}postgres/20260102T020000Z-00000002/manifest.json is damaged: "
    assert [line.startswith(damaged) for line in lines[4:]] == [True]


def test_the_newest_backup_being_unreadable_is_said_and_no_older_one_is_taken(environment: Environment) -> None:
    newest = f"{datetime.now(UTC) + timedelta(hours=1):%Y%m%dT%H%M%SZ}-00000004"
    _put(environment, newest, "manifest.json", b"{}")
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 1
    assert newest in answer.json["error"]
    assert environment.state() == before


def test_databases_that_people_have_named_like_one_of_ops_are_left(environment: Environment) -> None:
    names = [f"{DATABASE}_restore_20261129", f"{DATABASE}_verify_20261129"]
    for name in names:
        environment.execute(f"CREATE DATABASE {name}")
        environment.execute("CREATE TABLE mine AS SELECT generate_series(1, 10) AS i", name)

    verified = environment.ops("backups", "verify", "--kind", "postgres", "--json")
    restored = environment.ops("restore", "postgres", "--yes", "--json")

    assert verified.code == 0, verified.stderr
    assert restored.code == 0, restored.stderr
    assert f'"database": "{names[0]}"' in restored.stderr
    for name in names:
        assert environment.rows("SELECT count(*) FROM mine", name) == [(10,)]


def test_what_a_restore_puts_aside_is_marked_and_keeps_its_comment(environment: Environment) -> None:
    environment.execute(f"COMMENT ON DATABASE {DATABASE} IS 'what it said'")

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{}'"
    assert environment.rows(comment.format(answer.json["kept"])) == [
        (f"put aside by ops restore, was {DATABASE}: what it said",)
    ]
    assert environment.rows(comment.format(DATABASE)) == [("prices and users",)]


def test_a_backup_for_which_the_volume_has_no_room_stops_before_anything_is_touched(
    environment: Environment, saved: dict[str, bytes]
) -> None:
    _put(environment, saved["id"].decode(), "manifest.json", _changed(saved, databaseBytes=10**15))
    before = environment.state()

    restored = environment.ops("restore", "postgres", "--yes", "--json")
    verified = environment.ops("backups", "verify", "--kind", "postgres", "--json")

    assert restored.code == 2
    assert re.search(r"the restore needs 1\.0 PB .* the server's volume has \S+ [GT]B free", restored.json["error"])
    assert verified.code == 75
    assert re.search(r"trying the backup needs 1\.0 PB below \S+, and \S+ [GT]B are free", verified.json["error"])
    assert environment.state() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tables": {1: {"checksum": "17"}}}, "the content of public.prices is another"),
        (
            {"surroundings": {"sequences": [{"schemaName": "public", "name": "gone", "value": 1, "increment": 1}]}},
            "sequence public.gone is behind 1",
        ),
        (
            {"largeObjects": {"count": 1, "bytes": 3, "checksum": "1"}},
            "0 large objects of 0 bytes came back instead of 1",
        ),
    ],
)
def test_a_difference_between_what_was_saved_and_what_came_back_stops_the_restore_and_is_named(
    environment: Environment, saved: dict[str, bytes], change: dict[str, Any], words: str
) -> None:
    manifest = json.loads(saved["manifest.json"])
    _merge(manifest, change)
    _put(environment, saved["id"].decode(), "manifest.json", json.dumps(manifest).encode())
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 1, answer.stderr
    assert words in answer.json["error"]
    assert f"{DATABASE} is unchanged" in answer.json["error"]
    assert environment.state() == before


def _merge(into: Any, change: Mapping[Any, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict):
            _merge(into[key], cast("dict[Any, Any]", value))
        else:
            into[key] = value


def test_a_schema_that_came_back_otherwise_stops_the_restore_and_is_named(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.environment().items():
        monkeypatch.setenv(name, value)
    apply = properties.apply

    def spoilt(admin: Any, name: str, facts: Any) -> None:
        apply(admin, name, facts)
        environment.execute("ALTER TABLE users ALTER email SET DEFAULT 'x'; CREATE VIEW more AS SELECT 1", name)

    monkeypatch.setattr(properties, "apply", spoilt)
    words = (
        r"table public\.users is not the same: 'email text,' became \"email text DEFAULT 'x'::text,\"; "
        r"view public\.more is new"
    )

    with pytest.raises(CheckFailedError, match=words):
        postgres_restore.run(config.load(str(environment.config)), Selection(), into="spoilt")
    assert environment.databases() == [DATABASE]


def test_a_backup_of_an_older_format_takes_the_properties_of_the_present_database(
    environment: Environment, saved: dict[str, bytes]
) -> None:
    older = json.loads(saved["manifest.json"])
    older |= {"formatVersion": 3, "surroundings": None, "largeObjects": None}
    older["database"] = {name: older["database"][name] for name in ("name", "owner", "encoding", "collate", "ctype")}
    older["tables"] = [{name: table[name] for name in ("schemaName", "name", "rows")} for table in older["tables"]]
    _put(environment, saved["id"].decode(), "manifest.json", json.dumps(older).encode())
    facts = """
        SELECT (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a), datconnlimit,
               shobj_description(oid, 'pg_database'),
               (SELECT array_agg(setconfig::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
        FROM pg_database d WHERE datname = current_database()
    """
    before = environment.rows(facts)

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert environment.rows(facts) == before
    assert answer.json["notes"] == [
        "the backup is of an older ops, and has neither roles nor properties of the database"
    ]


def test_a_subscription_comes_back_disabled_and_its_secret_is_in_no_backup(environment: Environment) -> None:
    subscription = "CREATE SUBSCRIPTION feed CONNECTION 'host=nowhere password=Geheim-17' PUBLICATION a, \"B c\" "
    options = "binary, streaming, two_phase, disable_on_error, synchronous_commit = 'remote_write'"
    environment.execute(subscription + f"WITH (connect = false, slot_name = NONE, {options})", DATABASE)
    environment.execute("COMMENT ON SUBSCRIPTION feed IS 'from afar'", DATABASE)
    try:
        backup = environment.backup()
        answer = environment.ops("restore", "postgres", "--id", backup, "--into", "subscribed", "--json")
        found = environment.rows(
            "SELECT subname, subenabled, subconninfo, subpublications FROM pg_subscription", "subscribed"
        )
        kept = environment.rows(
            """
            SELECT subbinary, substream, subtwophasestate, subdisableonerr, subsynccommit, rolname,
                   coalesce(obj_description(s.oid, 'pg_subscription'), 'none')
            FROM pg_subscription s JOIN pg_roles r ON r.oid = s.subowner
            """,
            "subscribed",
        )
    finally:
        for name in (DATABASE, "subscribed"):
            environment.execute("DROP SUBSCRIPTION IF EXISTS feed", name)

    assert answer.code == 0, answer.stderr
    assert ("feed", False, "", ["a", "B c"]) in found
    # Both subscriptions are seen, and the comment of the database's own.
    assert sorted(kept) == [(True, True, "p", True, "remote_write", SUPERUSER, word) for word in ("from afar", "none")]
    assert answer.json["notes"] == [
        "subscription feed is disabled: give it its CONNECTION (from its Secret) and a slot, then ENABLE it"
    ]
    folder = f"{PREFIX}postgres/{backup}/"
    for name in ("dump.zst", "manifest.json"):
        content = environment.s3.get_object(Bucket=BUCKET, Key=folder + name)["Body"].read()
        plain = content if name == "manifest.json" else b"".join(decompress([content], ValueError))
        assert b"Geheim-17" not in plain
