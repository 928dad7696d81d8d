"""Backups and restores of Redis while its disk, our disk and our own process fail: nothing half-made, nothing lost."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from scripts.backup.redis_staging import LOCK
from tests.services import ops_environment
from tests.services.faulty_s3 import Refused, Reset, at
from tests.services.interruptions import Length, moments
from tests.services.ops_environment import Environment, finish
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed"),
]

_KEYS = 3000
_KILLS = 8
# Redis 7 changes its folder only where it was allowed to at its start.


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server, redis_server: Server
) -> Iterator[tuple[Environment, Server]]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        environment.configure(redis={"host": redis_server.host, "port": redis_server.port})
        yield environment, redis_server


@pytest.fixture
def environment(running: tuple[Environment, Server]) -> Environment:
    environment, server = running
    environment.reset()
    client = _client(server)
    client.flushall()
    client.mset({f"key:{number}": f"value {number}" * 20 for number in range(_KEYS)})
    return environment


@pytest.fixture
def server(running: tuple[Environment, Server]) -> Server:
    return running[1]


def _client(server: Server, database: int = 0) -> Any:
    return redis.Redis(server.host, server.port, db=database)


def _backup(environment: Environment) -> str:
    answer = environment.ops("backup", "redis", "--json")
    assert answer.code == 0, answer.stderr
    return answer.json["id"]


def _sizes(server: Server) -> dict[int, int]:
    return {int(name[2:]): int(told["keys"]) for name, told in _client(server).info("keyspace").items()}


def test_a_disk_on_which_redis_cannot_save_fails_the_backup_at_once_and_leaves_nothing_visible(
    environment: Environment, server: Server, tmp_path: Path
) -> None:
    client = _client(server)
    gone = tmp_path / "gone"
    gone.mkdir()
    before = client.config_get("dir")["dir"]
    client.config_set("dir", str(gone))
    gone.rmdir()
    client.config_set("repl-diskless-sync", "no")
    try:
        answer = environment.ops("backup", "redis", "--json", "--deadline", "30")
        client.config_set("repl-diskless-sync", "yes")
        streamed = environment.ops("backup", "redis", "--json")
    finally:
        client.config_set("repl-diskless-sync", "yes")
        client.config_set("dir", before)

    assert answer.code == 75, answer.stderr
    assert "deadline" not in answer.error
    # Redis says of itself that it cannot save; what it streams needs no disk.
    assert streamed.code == 0, streamed.stderr
    listed = environment.ops("backups", "list", "--json").json["backups"]
    assert [entry["id"] for entry in listed] == [streamed.json["id"]]
    assert environment.uploads() == []


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Generator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a full disk needs the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_scratch_disk_is_said_in_one_line_and_takes_no_proof_back(
    environment: Environment, tmp_path: Path
) -> None:
    backup = _backup(environment)
    assert environment.ops("backups", "verify", "--kind", "redis", "--json").code == 0
    with _small_disk(tmp_path / "small", 32) as folder:
        answer = environment.ops("backups", "verify", "--kind", "redis", "--json", extra={"TMPDIR": str(folder)})
        left = [path.name for path in folder.iterdir()]

    assert answer.code == 75, answer.stderr
    assert re.search(rf"needs \d.* below {tmp_path}/small/\S+, where .* free; .*TMPDIR", answer.json["error"])
    assert left == []
    listed = environment.ops("backups", "list", "--json").json["backups"]
    assert [(entry["id"], entry["proven"]) for entry in listed] == [(backup, True)]


@pytest.mark.parametrize(
    ("operation", "fault", "code"),
    [
        ("UploadPart", Refused(503, "SlowDown"), 0),
        ("UploadPart", Reset(after=True), 0),
        ("PutObject", Reset(after=True), 0),
        ("UploadPart", Refused(507, "XMinioStorageFull"), 75),
    ],
)
def test_a_bucket_that_fails_for_a_moment_costs_nothing_and_a_full_one_leaves_nothing(
    environment: Environment, operation: str, fault: Any, code: int
) -> None:
    with environment.faulty() as proxy:
        proxy.choice = at(operation, fault, range(1, 2))
        answer = environment.ops("backup", "redis", "--json")
        done = proxy.done

    assert done
    assert answer.code == code, answer.stderr
    assert environment.uploads() == []
    assert len(environment.ops("backups", "list", "--json").json["backups"]) == (code == 0)
    _backup(environment)


def test_of_two_restores_at_once_none_mixes_with_the_other(environment: Environment, server: Server) -> None:
    _backup(environment)
    _client(server).set("after the backup", 1)
    both = [environment.start("restore", "redis", "--yes", "--json") for _ in range(2)]
    answers = [finish(process) for process in both]

    assert sorted(answer.code for answer in answers) in ([0, 0], [0, 75]), [answer.stderr for answer in answers]
    assert _sizes(server) == {0: _KEYS}
    assert _client(server).get("after the backup") is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_restore_ended_at_any_moment_leaves_the_old_keys_or_the_new_and_the_next_one_succeeds(
    environment: Environment, server: Server, number: signal.Signals
) -> None:
    _backup(environment)
    length = Length()
    length.timed(lambda: environment.ops("restore", "redis", "--yes", "--json"))
    codes: list[int] = []
    for part in moments(_KILLS):
        # Whoever sees this key sees the old state.
        _client(server).set("old", 1)
        code, told = length.interrupted(environment.start("restore", "redis", "--yes", "--json"), number, part)
        codes.append(code)
        old = int(_client(server).exists("old"))
        assert _client(server).dbsize() == _KEYS + old
        # By the time of its report a process may have been ended all the same.
        assert told or old or number == signal.SIGKILL, "a swap that was done must be reported"
        if number == signal.SIGTERM:
            assert _sizes(server).keys() == {0}
        _age_lock(server)
        again = length.timed(lambda: environment.ops("restore", "redis", "--yes", "--json"))
        assert again.code == 0, again.stderr
        assert _sizes(server) == {0: _KEYS}

    assert sum(code != 0 for code in codes) >= _KILLS / 3, f"too few runs were hit: {codes}"


def _age_lock(server: Server) -> None:
    """What a killed run has claimed is its own for two minutes."""
    last = _client(server, 15)
    if last.exists(LOCK):
        last.hset(LOCK, "renewed", 0)
