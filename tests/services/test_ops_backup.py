"""``ops backup postgres`` against a real PostgreSQL and a real S3 endpoint, with faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook.datastores import BACKUP_ROLE, DATABASE
from tests.services import ops_environment
from tests.services.ops_environment import (
    AWS_SECRET,
    BUCKET,
    PASSWORDS,
    PREFIX,
    Environment,
    await_log,
    finish,
    populate,
)
from tests.services.ops_process import OpsProcess
from tests.services.servers import Gate, Server
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

# Compressed this is more than all buffers between pg_dump and a held upload take, so that the dump stands still with
# it.
_PRICES = 700_000
_HELD_AFTER = 3 * 2**20


@pytest.fixture(scope="module")
def servers_and_data(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=2000, prices=_PRICES)
        yield environment


@pytest.fixture
def environment(servers_and_data: Environment) -> Environment:
    servers_and_data.reset()
    return servers_and_data


def _begin_held(environment: Environment, gate: Gate) -> tuple[OpsProcess, int]:
    """A backup that stands still in the middle of its upload, and the pid of its pg_dump."""
    gate.hold_after(_HELD_AFTER)
    process = environment.start("backup", "postgres", "--json")
    pid = int(await_log(process, "dump started")["pid"])
    wait_until(lambda: gate.held, "the upload is held")
    return process, pid


def test_a_backup_holds_exact_counts_and_checksums_and_leaves_no_upload_open(environment: Environment) -> None:
    answer = environment.ops("backup", "postgres", "--json")

    assert answer.code == 0, answer.stderr
    backup = answer.json["id"]
    assert environment.keys() == [f"{PREFIX}postgres/{backup}/{name}" for name in ("dump.zst", "manifest.json")]
    assert environment.uploads() == []
    manifest = environment.manifest(backup)
    counts = {table["name"]: table["rows"] for table in manifest["tables"]}
    assert counts == {"users": 2000, "prices": _PRICES, "empty_table": 0}
    stored = environment.s3.head_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{backup}/dump.zst")["ContentLength"]
    assert manifest["stored"]["bytes"] == stored
    assert manifest["encryption"] is None


def test_counts_are_those_of_the_dump_while_a_writer_keeps_inserting(environment: Environment) -> None:
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with environment.connect(role="owner") as connection:
            while not stop.is_set():
                connection.execute("INSERT INTO users (email) VALUES (gen_random_uuid()::text)")
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: written > 10, "the writer writes")
        before = written
        backup = environment.backup()
        during = written - before
        restored = environment.ops("restore", "postgres", "--id", backup, "--into", "while_writing", "--json")
    finally:
        stop.set()
        writer.join()
        with environment.connect(role="owner") as connection:
            connection.execute("DELETE FROM users WHERE created IS NULL")

    assert during > 0
    assert restored.code == 0, restored.stderr
    rows = {table["name"]: table["rows"] for table in environment.manifest(backup)["tables"]}["users"]
    assert environment.rows("SELECT count(*) FROM users", "while_writing") == [(rows,)]
    assert 2000 + before <= rows <= 2000 + before + during


def test_a_killed_dump_leaves_nothing_visible(environment: Environment) -> None:
    with environment.gated() as gate:
        process, pg_dump = _begin_held(environment, gate)
        os.kill(pg_dump, signal.SIGKILL)
        gate.release()
        answer = finish(process)

    assert answer.code == 75
    assert "pg_dump of crypto_db was killed by signal 9" in answer.json["error"]
    assert environment.keys() == []
    assert environment.uploads() == []


def test_a_backend_that_ends_under_the_dump_leaves_nothing_visible(environment: Environment) -> None:
    with environment.gated() as gate:
        process, _ = _begin_held(environment, gate)
        ended = environment.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ops backup pg_dump'"
        )
        gate.release()
        answer = finish(process)

    assert ended == [(True,)]
    assert answer.code == 75, answer.stderr
    assert environment.keys() == []
    assert environment.uploads() == []


def test_a_backup_that_lost_its_lock_is_not_published(environment: Environment) -> None:
    with environment.gated() as gate:
        process, _ = _begin_held(environment, gate)
        environment.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ops backup lock'"
        )
        gate.release()
        answer = finish(process)

    assert answer.code == 75
    assert "the lock of the backup of crypto_db was lost" in answer.json["error"]
    assert not [key for key in sorted(environment.keys()) if key.endswith("manifest.json")]
    assert environment.ops("backups", "list", "--json").json["backups"] == []


def test_sigkill_in_the_middle_is_healed_by_the_next_run(environment: Environment) -> None:
    with environment.gated() as gate:
        process, _ = _begin_held(environment, gate)
        process.kill()
        process.wait()
        gate.release()
    assert environment.keys() == []
    assert len(environment.uploads()) == 1

    backup = environment.backup()

    assert environment.uploads() == []
    assert environment.keys() == [f"{PREFIX}postgres/{backup}/{name}" for name in ("dump.zst", "manifest.json")]


def test_sigterm_undoes_what_was_begun(environment: Environment) -> None:
    with environment.gated() as gate:
        process, pg_dump = _begin_held(environment, gate)
        process.send_signal(signal.SIGTERM)
        gate.release()
        answer = finish(process)

    assert answer.code == 75
    assert answer.error == "ops backup postgres: ended by SIGTERM; what was begun is undone, run it again"
    assert environment.keys() == []
    assert environment.uploads() == []
    assert not Path(f"/proc/{pg_dump}").exists()


def test_the_deadline_ends_a_run_that_stands_still(environment: Environment) -> None:
    with environment.gated() as gate:
        gate.hold_after(_HELD_AFTER)
        process = environment.start("backup", "postgres", "--json", "--deadline", "5")
        wait_until(lambda: gate.held, "the upload is held")
        threading.Timer(6, gate.release).start()
        answer = finish(process)

    assert answer.code == 75
    assert "the deadline of 5 s has passed" in answer.json["error"]
    assert environment.keys() == []


def test_a_second_run_at_the_same_time_is_refused_and_harms_nothing(environment: Environment) -> None:
    with environment.gated() as gate:
        process, _ = _begin_held(environment, gate)
        gate_port = environment.settings["backup"]
        environment.configure(backup={**gate_port, "endpoint": f"http://{environment.store.address}"})
        second = environment.ops("backup", "postgres", "--json")
        gate.release()
        first = finish(process)

    assert second.code == 75
    assert "another backup of crypto_db is running (ops backup lock from 127.0.0.1 since 20" in second.json["error"]
    assert first.code == 0, first.stderr
    assert len(environment.ops("backups", "list", "--json").json["backups"]) == 1


def test_connections_that_break_during_the_upload_are_taken_up_again(environment: Environment) -> None:
    with environment.gated() as gate:
        process, _ = _begin_held(environment, gate)
        gate.cut()
        gate.release()
        answer = finish(process)

    assert gate.cuts > 0
    assert answer.code == 0, answer.stderr
    restored = environment.ops("restore", "postgres", "--into", "after_cut", "--json")
    assert restored.code == 0, restored.stderr


def test_no_secret_is_in_an_argument_a_log_or_the_bucket(environment: Environment) -> None:
    with environment.gated() as gate:
        process, pg_dump = _begin_held(environment, gate)
        seen = [
            Path(f"/proc/{pid}/{name}").read_bytes()
            for pid in (process.pid, pg_dump)
            for name in ("cmdline", "environ")
        ]
        gate.release()
        answer = finish(process)

    assert answer.code == 0
    assert b"--snapshot" in seen[2]
    manifest = json.dumps(environment.manifest(answer.json["id"])).encode()
    termination = (environment.folder / "termination-log").read_bytes()
    for text in (*seen, answer.stdout.encode(), answer.stderr.encode(), manifest, termination):
        assert text
        for secret in (*PASSWORDS.values(), AWS_SECRET):
            assert secret.encode() not in text


def test_the_result_is_one_line_of_json_and_the_termination_message(environment: Environment) -> None:
    answer = environment.ops("backup", "postgres", "--json")

    assert answer.json["command"] == "backup postgres"
    assert answer.json["exit"] == answer.code == 0
    termination = (environment.folder / "termination-log").read_text()
    assert json.loads(termination) == answer.json
    assert all(json.loads(line) for line in answer.stderr.splitlines())


def test_a_dry_run_changes_nothing(environment: Environment) -> None:
    answer = environment.ops("backup", "postgres", "--dry-run", "--json")

    assert answer.code == 0
    assert answer.json["dry_run"] is True
    assert answer.json["tables"] == 3
    assert environment.keys() == []
    assert environment.uploads() == []


@pytest.mark.parametrize(
    ("section", "change", "code", "words"),
    [
        ("postgres", {"port": 1}, 75, "PostgreSQL at 127.0.0.1:1"),
        ("postgres", {"database": "nowhere"}, 2, 'database "nowhere" does not exist'),
        ("backup", {"bucket": "no-such-bucket"}, 2, "NoSuchBucket"),
        ("backup", {"retentionDays": 0}, 2, "backup.retentionDays is 0: must be at least 1"),
    ],
)
def test_wrong_settings_end_with_one_line_and_their_code(
    environment: Environment, section: str, change: dict[str, object], code: int, words: str
) -> None:
    good = environment.settings[section]
    environment.configure(**{section: {**good, **change}})
    try:
        answer = environment.ops("backup", "postgres", "--json")
    finally:
        environment.configure(**{section: good})

    assert answer.code == code, answer.stderr
    assert words in answer.json["error"]
    assert words in answer.error
    assert "Traceback" not in answer.stderr


def test_a_wrong_password_is_a_configuration_error_that_does_not_show_it(environment: Environment) -> None:
    file = environment.folder / "backup"
    file.write_text("Wr0ng-Geheim\n")
    try:
        answer = environment.ops("backup", "postgres", "--json")
    finally:
        file.write_text(f"{PASSWORDS['backup']}\n")

    assert answer.code == 2
    assert f"password authentication failed for user {json.dumps(BACKUP_ROLE)}" in answer.json["error"]
    assert "Wr0ng-Geheim" not in answer.stdout + answer.stderr


def test_missing_settings_are_a_configuration_error(environment: Environment) -> None:
    answer = environment.ops("backup", "postgres", "--config", "/nowhere/config.json")

    assert answer.code == 2
    assert answer.error == (
        "ops backup postgres: cannot read the settings file /nowhere/config.json: No such file or directory; "
        "name it with --config or OPS_CONFIG"
    )


@pytest.mark.parametrize(
    ("closed", "opened", "words"),
    [
        (
            f"REVOKE pg_read_all_data FROM {BACKUP_ROLE}",
            f"GRANT pg_read_all_data TO {BACKUP_ROLE}",
            f'may not read public.empty_table; public.prices; public.users: GRANT pg_read_all_data TO "{BACKUP_ROLE}"',
        ),
        (
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
            f'may not read public.users: ALTER ROLE "{BACKUP_ROLE}" BYPASSRLS',
        ),
        (
            "SELECT lo_create(4711)",
            "SELECT lo_unlink(4711)",
            f'may not read large object 4711: GRANT SELECT ON LARGE OBJECT 4711 TO "{BACKUP_ROLE}"',
        ),
    ],
)
def test_what_the_role_may_not_read_is_named_with_the_right_that_is_missing(
    environment: Environment, closed: str, opened: str, words: str
) -> None:
    environment.execute(closed, DATABASE)
    try:
        answer = environment.ops("backup", "postgres", "--json")
    finally:
        environment.execute(opened, DATABASE)

    assert answer.code == 2
    assert words in answer.json["error"]
    assert environment.keys() == []


def test_defaults_of_the_database_and_of_the_role_do_not_change_what_is_read(environment: Environment) -> None:
    first = environment.manifest(environment.backup())
    strange = {
        "DateStyle": "German",
        "TimeZone": "Asia/Kathmandu",
        "bytea_output": "escape",
        "default_transaction_read_only": "on",
        "extra_float_digits": "-5",
        "row_security": "on",
        "search_path": "nowhere",
        "statement_timeout": "50ms",
        "client_encoding": "LATIN1",
    }
    for name, value in strange.items():
        environment.execute(f"ALTER ROLE {BACKUP_ROLE} SET \"{name}\" = '{value}'")
    try:
        second = environment.manifest(environment.backup())
    finally:
        environment.execute(f"ALTER ROLE {BACKUP_ROLE} RESET ALL")

    assert second["tables"] == first["tables"]


def test_memory_does_not_grow_with_the_database(environment: Environment) -> None:
    small = _peak_memory(environment, "empty_table")
    large = _peak_memory(environment, None)

    # The smaller one is large enough to have as many parts on their way as the larger.
    assert small[1] < large[1] / 2.5
    assert large[0] - small[0] < 30, f"{small[0]:.0f} MB at {small[1]} bytes, {large[0]:.0f} MB at {large[1]} bytes"
    assert large[0] < 150


def _peak_memory(environment: Environment, only: str | None) -> tuple[float, int]:
    """Peak memory in MB of a backup, and the bytes of its dump; ``only`` dumps a database of 100 MB instead."""
    if only is not None:
        with environment.connect("postgres") as connection:
            connection.execute("CREATE DATABASE small")
        with environment.connect("small") as connection:
            connection.execute(
                "CREATE TABLE filler AS SELECT md5(random()::text) || md5(i::text) AS t "
                "FROM generate_series(1, 1500000) i"
            )
    else:
        with environment.connect() as connection:
            connection.execute(
                "CREATE TABLE filler AS SELECT string_agg(md5(random()::text), '') AS t "
                "FROM generate_series(1, 6000000) i GROUP BY i / 30"
            )
    good = environment.settings["postgres"]
    environment.configure(postgres={**good, "database": DATABASE if only is None else "small"})
    try:
        process = environment.start_anew("backup", "postgres", "--json")
        peak = _watch_memory(process)
        output = process.communicate()[0]
    finally:
        environment.configure(postgres=good)
        if only is None:
            with environment.connect() as connection:
                connection.execute("DROP TABLE filler")
    assert process.returncode == 0
    return peak, int(json.loads(output)["uncompressed_bytes"])


def _watch_memory(process: subprocess.Popen[Any]) -> float:
    """Greatest resident memory in MB until the process ends.

    Not the kernel's ru_maxrss: that one begins with the memory of the process that forked, which is pytest's.
    """
    peak = 0.0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        mine = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        peak = max([peak, *(int(kilobytes) / 1024 for kilobytes in mine)])
        time.sleep(0.02)
    assert peak > 10
    return peak
