"""``ops backups metrics``: RPO and RTO as Prometheus reads them, from what is in the bucket and from nothing else."""

from __future__ import annotations

import signal
import socket
import struct
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.services import ops_environment
from tests.services.ops_environment import Environment, await_log, finish, populate
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=10, prices=10)
        yield environment


@pytest.fixture
def environment(servers: Environment) -> Environment:
    servers.reset()
    return servers


def _samples(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    return {name: float(value) for name, value in lines}


def _metrics(environment: Environment) -> dict[str, float]:
    answer = environment.ops("backups", "metrics")
    assert answer.code == 0, answer.stderr
    return _samples(answer.stdout)


def test_the_recovery_point_is_that_of_the_newest_proven_backup_and_not_of_the_newest(environment: Environment) -> None:
    proven = environment.backup()
    before = _metrics(environment)
    assert environment.ops("backups", "verify", "--kind", "postgres").code == 0
    newest = environment.backup()

    found = _metrics(environment)

    assert 'crypto_backup_proven_timestamp_seconds{kind="postgres"}' not in before
    assert found['crypto_backup_count{kind="postgres"}'] == 2
    for backup, name in ((proven, "proven"), (newest, "newest")):
        moment = datetime.fromisoformat(environment.manifest(backup)["snapshotAt"]).timestamp()
        assert found[f'crypto_backup_{name}_timestamp_seconds{{kind="postgres"}}'] == moment
    assert found['crypto_backup_restore_seconds{kind="postgres"}'] > 0
    assert found['crypto_backup_count{kind="redis"}'] == 0


def test_a_server_shows_them_until_it_is_told_to_end(environment: Environment) -> None:
    environment.backup()
    process = environment.start("backups", "metrics", "--listen", "0", "--json")
    port = int(await_log(process, "serving metrics")["port"])

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        found = _samples(answer.read().decode())
    process.send_signal(signal.SIGTERM)

    assert found['crypto_backup_count{kind="postgres"}'] == 1
    assert found["crypto_backup_bucket_up"] == 1
    assert finish(process).code == 0


def test_a_bucket_that_does_not_answer_is_shown_as_such_and_hides_no_process(environment: Environment) -> None:
    good = environment.settings["backup"]
    environment.configure(backup={**good, "bucket": "no-such-bucket"})
    try:
        process = environment.start("backups", "metrics", "--listen", "0")
        port = int(await_log(process, "serving metrics")["port"])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert _samples(answer.read().decode()) == {"crypto_backup_bucket_up": 0}
        process.terminate()
        finish(process)
    finally:
        environment.configure(backup=good)


def test_clients_that_hang_up_leave_no_traceback_in_the_log(environment: Environment) -> None:
    process = environment.start("backups", "metrics", "--listen", "0")
    try:
        port = int(await_log(process, "serving metrics")["port"])
        for request in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") * 5:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(request)
                # Lingering for no time makes close send a reset.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert _samples(answer.read().decode())["crypto_backup_bucket_up"] == 1
    finally:
        process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert ended.code == 0
    assert "Traceback" not in ended.stderr
    assert "was not answered" not in ended.stderr
