"""Backups of Redis and of the namespace's objects, ended at random moments: whole or not there."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.services import kube_api, ops_environment
from tests.services.interruptions import Length, moments
from tests.services.ops_environment import BUCKET, PREFIX, Answer, Environment
from tests.services.ops_process import OpsProcess
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed"),
]
_KILLS = 10
_DATA = {"redis": "dump.rdb.zst", "resources": "objects.jsonl.zst"}


@dataclass(frozen=True)
class System:
    """Something of each kind to be saved, and a bucket."""

    environment: Environment

    def start(self, *arguments: str) -> OpsProcess:
        return self.environment.start(*arguments, "--json", extra=self._kubeconfig())

    def ops(self, *arguments: str) -> Answer:
        return self.environment.ops(*arguments, "--json", extra=self._kubeconfig())

    def backup(self, kind: str) -> str:
        answer = self.ops("backup", kind)
        assert answer.code == 0, answer.stderr
        return answer.json["id"]

    def listed(self, kind: str) -> list[dict[str, Any]]:
        backups: list[dict[str, Any]] = self.ops("backups", "list").json["backups"]
        return [entry for entry in backups if entry["kind"] == kind]

    def _kubeconfig(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.environment.folder / "kubeconfig")}


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server, redis_server: Server
) -> Iterator[System]:
    with (
        ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment,
        kube_api.serving(kube_api.KINDS) as api,
    ):
        api.kubeconfig(environment.folder)
        environment.configure(redis={"host": redis_server.host, "port": redis_server.port})
        client: Any = redis.Redis(redis_server.host, redis_server.port)
        client.mset({f"large:{number}": os.urandom(2**15) for number in range(200)})
        for number in range(1500):
            api.add_served("configmaps", f"config-{number}", data={"key": "value" * 50})
        yield System(environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("kind", list(_DATA))
def test_a_backup_ended_at_any_moment_is_whole_or_not_there_and_the_next_one_succeeds(
    system: System, kind: str, number: signal.Signals
) -> None:
    environment = system.environment
    environment.reset()
    length = Length()
    for _ in range(2):
        length.timed(lambda: system.backup(kind))
    good = {entry["id"] for entry in system.listed(kind)}
    assert len(good) == 2
    codes: list[int] = []
    for moment in moments(_KILLS):
        code, reported = length.interrupted(system.start("backup", kind), number, moment)
        codes.append(code)
        listed = system.listed(kind)
        there = {entry["id"] for entry in listed if entry["readable"]}
        assert len(there) == len(listed)
        assert good <= there
        assert good < there or not reported
        for backup in there - good:
            folder = f"{PREFIX}{kind}/{backup}/"
            stored = environment.s3.head_object(Bucket=BUCKET, Key=f"{folder}{_DATA[kind]}")["ContentLength"]
            assert stored == next(entry["stored_bytes"] for entry in listed if entry["id"] == backup)
        if number == signal.SIGTERM:
            assert environment.uploads() == []
        good = there

    good.add(system.backup(kind))
    assert {entry["id"] for entry in system.listed(kind)} == good
    assert sum(code != 0 for code in codes) >= _KILLS / 3, f"too few runs were hit: {codes}"
    assert system.ops("backups", "verify", "--kind", kind).code == 0
