"""Backups and restores of PostgreSQL while S3, the network and the database fail: nothing half-made, nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runbook.datastores import BACKUP_ROLE, DATABASE
from scripts.backup import parts, properties, surroundings
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.exits import TemporaryError
from tests.running.owned import owned_folder
from tests.services import ops_environment
from tests.services.faulty_s3 import Altered, Call, Choice, Cut, Fault, FaultyS3, Refused, Reset, Slow, at
from tests.services.interruptions import Length, moments
from tests.services.ops_environment import BUCKET, PREFIX, Answer, Environment, await_log, finish, populate
from tests.services.servers import SUPERUSER, Server
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

_USERS = 500
# Stored, these are more than two parts.
_PRICES = 450_000
_KILLS = 10
_EVER = range(1, 10_000)


@pytest.fixture(scope="module")
def servers_and_data(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=_USERS, prices=_PRICES)
        yield environment


@pytest.fixture
def environment(servers_and_data: Environment) -> Environment:
    servers_and_data.reset()
    return servers_and_data


def _backup_through(environment: Environment, choice: Choice) -> tuple[Answer, list[Call]]:
    with environment.faulty() as proxy:
        proxy.choice = choice
        return environment.ops("backup", "postgres", "--json"), proxy.done


def _manifests(environment: Environment) -> list[str]:
    return [key for key in sorted(environment.keys()) if key.endswith("/manifest.json")]


def _assert_whole(environment: Environment) -> None:
    """The newest backup restores, every row of it."""
    answer = environment.ops("restore", "postgres", "--into", "whole", "--json")
    assert answer.code == 0, answer.stderr
    assert environment.rows("SELECT count(*) FROM prices", "whole") == [(_PRICES,)]
    environment.execute('DROP DATABASE "whole"')


_PASSING = [
    pytest.param(at("UploadPart", Refused(500, "InternalError"), range(2, 4)), 2, id="500-in-the-middle"),
    pytest.param(at("UploadPart", Refused(503, "SlowDown"), range(2, 5)), 3, id="503-in-the-middle"),
    pytest.param(at("UploadPart", Refused(429, "TooManyRequests"), range(2, 4)), 2, id="429-in-the-middle"),
    pytest.param(at("UploadPart", Reset(), range(2, 4)), 2, id="reset-in-the-middle-of-a-part"),
    pytest.param(at("UploadPart", Reset(after=True), range(2, 3)), 1, id="answer-to-a-part-lost"),
    pytest.param(at("CreateMultipartUpload", Refused(503, "SlowDown"), range(1, 2)), 1, id="503-at-the-beginning"),
    pytest.param(at("CompleteMultipartUpload", Refused(500, "InternalError"), range(1, 2)), 1, id="500-at-the-end"),
    pytest.param(at("PutObject", Refused(503, "SlowDown"), range(1, 2)), 1, id="503-at-the-manifest"),
    pytest.param(at("PutObject", Reset(after=True), range(1, 2)), 1, id="answer-to-the-manifest-lost"),
]


@pytest.mark.parametrize(("choice", "times"), _PASSING)
def test_a_fault_that_passes_costs_nothing(environment: Environment, choice: Choice, times: int) -> None:
    answer, done = _backup_through(environment, choice)

    assert len(done) == times
    assert answer.code == 0, answer.stderr
    assert environment.manifest(answer.json["id"])["parts"] > 2
    assert environment.uploads() == []
    _assert_whole(environment)


_LASTING = [
    pytest.param("UploadPart", Refused(507, "XMinioStorageFull"), 75, id="full"),
    pytest.param("UploadPart", Refused(503, "SlowDown"), 75, id="503"),
    pytest.param("UploadPart", Refused(403, "AccessDenied"), 2, id="403"),
    pytest.param("UploadPart", Refused(400, "BadDigest"), 1, id="checksum"),
    pytest.param("UploadPart", Reset(), 75, id="reset"),
    pytest.param("CompleteMultipartUpload", Refused(400, "InvalidPart"), 1, id="part-gone"),
    pytest.param("PutObject", Refused(507, "XMinioStorageFull"), 75, id="full-at-the-manifest"),
]


@pytest.mark.parametrize(("operation", "fault", "code"), _LASTING)
def test_a_fault_that_lasts_leaves_nothing_visible_and_the_next_run_succeeds(
    environment: Environment, operation: str, fault: Fault, code: int
) -> None:
    first = 2 if operation == "UploadPart" else 1
    answer, done = _backup_through(environment, at(operation, fault, range(first, 10_000)))

    assert done
    assert answer.code == code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.error.splitlines()) == 1
    assert f"s3://{BUCKET}/{PREFIX}postgres/" in answer.error
    assert _manifests(environment) == []
    assert environment.uploads() == []
    assert environment.ops("backups", "list", "--json").json["backups"] == []
    environment.backup()
    assert len(_manifests(environment)) == 1


def test_the_answer_to_the_end_of_the_upload_is_lost_and_nothing_half_made_is_visible(environment: Environment) -> None:
    answer, done = _backup_through(environment, at("CompleteMultipartUpload", Reset(after=True), range(1, 2)))

    assert len(done) == 1
    # S3 answers a repeated completion as the first one; other servers know no such upload any more.
    assert answer.code in (0, 75), answer.stderr
    assert len(_manifests(environment)) == (answer.code == 0)
    environment.backup()
    _assert_whole(environment)


def test_a_bucket_that_goes_away_in_the_middle_leaves_nothing_visible(environment: Environment) -> None:
    with environment.faulty() as proxy:
        proxy.choice = lambda call: Reset() if call.operation != "ListObjectsV2" and call.number > 1 else None
        answer = environment.ops("backup", "postgres", "--json", "--deadline", "60")

    assert answer.code == 75, answer.stderr
    assert _manifests(environment) == []
    environment.backup()


_READS = [
    pytest.param(at("GetObject", Cut(), range(2, 4)), 0, id="cut-at-the-check"),
    pytest.param(at("GetObject", Cut(), range(3, 6)), 0, id="cut-while-restoring"),
    pytest.param(at("GetObject", Refused(503, "SlowDown"), range(2, 5)), 0, id="503"),
    pytest.param(at("GetObject", Reset(after=True), range(2, 4)), 0, id="reset"),
    pytest.param(at("GetObject", Altered(), range(2, 3)), 1, id="altered-at-the-check"),
    pytest.param(at("GetObject", Altered(), range(3, 4)), 1, id="altered-while-restoring"),
    pytest.param(at("GetObject", Refused(500, "InternalError"), _EVER), 75, id="500-for-ever"),
]


@pytest.mark.parametrize(("choice", "code"), _READS)
def test_a_restore_takes_a_broken_download_up_and_never_swaps_in_what_is_not_whole(
    environment: Environment, choice: Choice, code: int
) -> None:
    environment.backup()
    before = environment.state()
    with environment.faulty() as proxy:
        proxy.choice = choice
        answer = environment.ops("restore", "postgres", "--yes", "--json")
        done = proxy.done

    assert done
    assert answer.code == code, answer.stderr
    if code:
        assert environment.state() == before
    else:
        assert environment.databases() == sorted([DATABASE, answer.json["kept"]])
        assert environment.rows("SELECT count(*) FROM prices") == [(_PRICES,)]


def test_a_server_without_a_connection_left_is_temporary_and_leaves_nothing(environment: Environment) -> None:
    environment.execute(f"ALTER ROLE {BACKUP_ROLE} CONNECTION LIMIT 0")
    try:
        answer = environment.ops("backup", "postgres", "--json")
    finally:
        environment.execute(f"ALTER ROLE {BACKUP_ROLE} CONNECTION LIMIT -1")

    assert answer.code == 75
    assert "too many connections" in answer.error
    assert environment.keys() == []


def test_a_table_that_stays_locked_ends_the_backup_at_its_deadline_and_blocks_nobody(environment: Environment) -> None:
    with environment.connect(role="owner") as connection, connection.transaction():
        connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        answer = environment.ops("backup", "postgres", "--json", "--deadline", "4")

    assert answer.code == 75
    assert "the deadline of 4 s has passed" in answer.error
    assert environment.keys() == []
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ops backup%'"
    wait_until(lambda: environment.rows(waiting) == [(0,)], "the backup's sessions have ended")


def _late(environment: Environment, proxy: FaultyS3, *options: str) -> tuple[Answer, int, float]:
    """A backup whose deadline passes while ``proxy`` holds up a call, that deadline, and how long it took in seconds.

    A busy machine needs longer until the call.
    """
    for deadline in (4, 16, 60):
        began = time.monotonic()
        answer = environment.ops("backup", "postgres", *options, "--deadline", str(deadline))
        if proxy.done:
            return answer, deadline, time.monotonic() - began
    raise AssertionError("no backup comes as far as the call")


def test_a_bucket_that_is_too_slow_ends_the_backup_at_its_deadline_with_nothing_visible(
    environment: Environment,
) -> None:
    with environment.faulty() as proxy:
        proxy.choice = at("UploadPart", Slow(120), _EVER)
        answer, deadline, took = _late(environment, proxy, "--json")

    assert answer.code == 75, answer.stderr
    assert f"the deadline of {deadline} s has passed" in answer.error
    assert took < deadline + 8, "it ends soon after its deadline, whatever still waits"
    assert environment.keys() == []
    environment.backup()


def test_an_upload_that_the_bucket_begins_only_after_its_backup_was_ended_is_aborted(environment: Environment) -> None:
    with environment.faulty() as proxy:
        proxy.choice = at("CreateMultipartUpload", Slow(1), range(1, 2))
        process = environment.start("backup", "postgres")
        wait_until(lambda: proxy.done, "the upload is begun")
        process.terminate()
        answer = finish(process)

    assert answer.code == 75, answer.stderr
    assert proxy.calls.get("AbortMultipartUpload") == 1
    assert environment.uploads() == []


def test_a_bucket_that_answers_nothing_any_more_cannot_keep_the_process(environment: Environment) -> None:
    with environment.faulty() as proxy:
        proxy.choice = lambda call: Slow(120) if call.operation in ("UploadPart", "AbortMultipartUpload") else None
        answer, deadline, _ = _late(environment, proxy)

    assert answer.code == 75, answer.stderr
    assert answer.error.startswith(f"ops: the deadline of {deadline} s has passed")
    assert "cleaning up did not end within" in answer.error
    assert _manifests(environment) == []
    environment.backup()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system that is as small as the test needs it")
def test_a_restore_onto_a_full_disk_says_so_and_leaves_the_database_as_it_was(
    environment: Environment,
) -> None:
    environment.backup()
    before = environment.state()
    with _small_disk() as folder:
        environment.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        # New databases lie where the one that they are copied from does.
        environment.execute("ALTER DATABASE template0 SET TABLESPACE small")
        try:
            answer = environment.ops("restore", "postgres", "--yes", "--json")
            after = environment.state()
        finally:
            environment.execute("ALTER DATABASE template0 SET TABLESPACE pg_default")
            environment.execute("DROP TABLESPACE small")

    assert answer.code != 0
    assert "No space left on device" in answer.error
    assert "Traceback" not in answer.stderr
    assert after == before, "the live database is untouched, and the half-filled one is gone"
    assert environment.ops("restore", "postgres", "--yes", "--json").code == 0


@contextmanager
def _small_disk() -> Generator[Path]:
    """A folder of the server's user on a file system of its own, with room for an empty database and little more."""
    with owned_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "tmpfs", str(folder)], check=True)
        inside = folder / "tablespace"
        inside.mkdir()
        shutil.chown(inside, "postgres")
        yield inside


def test_a_database_whose_backends_all_end_leaves_the_restore_undone(environment: Environment) -> None:
    environment.backup()
    before = environment.state()
    process = environment.start("restore", "postgres", "--yes", "--json")
    await_log(process, "restore started")
    sessions = "FROM pg_stat_activity WHERE application_name LIKE 'ops restore%'"
    wait_until(
        lambda: environment.rows(f"SELECT count(*) >= 3 {sessions}", "postgres") == [(True,)], "pg_restore is at work"
    )
    assert len(environment.rows(f"SELECT pg_terminate_backend(pid) {sessions}", "postgres")) >= 3
    answer = finish(process)

    assert answer.code == 75, answer.stderr
    assert _without_fresh(environment.state()) == before
    assert environment.ops("restore", "postgres", "--yes", "--json").code == 0


def test_a_session_that_ends_while_a_database_gets_its_properties_is_no_mistake(environment: Environment) -> None:
    server = environment.database
    access = Access(server.host, server.port, SUPERUSER, ops_environment.PASSWORDS["superuser"])
    with postgres.connect(access, DATABASE, application="test") as admin:
        facts = surroundings.facts(admin).model_copy(update={"rights": None, "settings": ()})
        environment.execute(f"SELECT pg_terminate_backend({admin.info.backend_pid})", "postgres")
        with pytest.raises(TemporaryError, match=r"LIMIT +-1: terminating connection .*; nothing has changed"):
            properties.apply(admin, DATABASE, facts)


def _without_fresh(state: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in state if not str(row[1]).startswith(f"{DATABASE}_restore_")]


def _await_end(environment: Environment, pattern: str) -> None:
    """A killed client's sessions end when the server finds out: until then its lock is held."""
    query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '{pattern}'"  # noqa: S608 - our own
    wait_until(lambda: environment.rows(query, "postgres") == [(0,)], "the sessions of the killed run have ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_backup_ended_at_any_moment_is_whole_or_not_there_and_the_next_one_succeeds(
    environment: Environment, number: signal.Signals
) -> None:
    length = Length()
    for _ in range(2):
        length.timed(environment.backup)
    good = {entry["id"] for entry in environment.ops("backups", "list", "--json").json["backups"]}
    codes: list[int] = []
    for part in moments(_KILLS):
        codes.append(length.interrupted(environment.start("backup", "postgres", "--json"), number, part)[0])
        listed = environment.ops("backups", "list", "--json").json["backups"]
        there = {entry["id"] for entry in listed if entry["readable"]}
        assert len(there) == len(listed)
        assert good <= there
        for backup in there:
            folder = f"{PREFIX}postgres/{backup}/"
            size = environment.s3.head_object(Bucket=BUCKET, Key=f"{folder}dump.zst")["ContentLength"]
            assert size == environment.manifest(backup)["stored"]["bytes"]
        if number == signal.SIGTERM:
            assert environment.uploads() == []
        good = there
        _await_end(environment, "ops backup%")

    good.add(environment.backup())
    assert environment.uploads() == []
    assert sum(code != 0 for code in codes) >= _KILLS / 3, f"too few runs were hit: {codes}"
    assert environment.ops("backups", "verify", "--kind", "postgres", "--json").code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_restore_ended_at_any_moment_leaves_the_old_state_or_the_new_and_the_next_one_succeeds(
    environment: Environment, number: signal.Signals
) -> None:
    environment.backup()
    length = Length()
    length.timed(lambda: environment.ops("restore", "postgres", "--yes"))
    codes: list[int] = []
    for part in moments(_KILLS):
        _drop_kept(environment)
        # Whoever sees this row sees the old state.
        environment.execute("INSERT INTO users (email) VALUES ('old') ON CONFLICT DO NOTHING", DATABASE)
        code, told = length.interrupted(environment.start("restore", "postgres", "--yes", "--json"), number, part)
        codes.append(code)
        _await_end(environment, "ops restore%")
        kept = [name for name in environment.databases() if "_before_" in name]
        old = environment.rows("SELECT count(*) FROM users WHERE email = 'old'") == [(1,)]
        assert environment.rows("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM prices)") == [
            (_USERS + old, _PRICES)
        ]
        # Where the new one is in place, the old one is kept, whole.
        assert len(kept) == (0 if old else 1)
        assert all(environment.rows("SELECT count(*) FROM users", name) == [(_USERS + 1,)] for name in kept)
        assert told or old or number == signal.SIGKILL, "a swap that was done must be reported as done"
        again = length.timed(lambda: environment.ops("restore", "postgres", "--yes", "--json"))
        assert again.code == 0, again.stderr
        assert environment.rows("SELECT count(*) FROM users") == [(_USERS,)]
        left = {name for name in environment.databases() if name != DATABASE}
        assert left == {*kept, again.json["kept"]}
        assert environment.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE '%\\_restore\\_%'") == []

    assert sum(code != 0 for code in codes) >= _KILLS / 3, f"too few runs were hit: {codes}"


def _drop_kept(environment: Environment) -> None:
    for name in environment.databases():
        if name != DATABASE:
            environment.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_uploads_of_these_tests_have_parts_to_fail_in() -> None:
    assert parts.part_size(0) * 2 < _PRICES * 40
