"""``ops backup redis`` and ``ops restore redis`` against a real Redis and a real S3 endpoint, with faults."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from runbook.ops_settings import RedisTarget
from scripts.backup.redis_staging import LOCK
from scripts.clients import replication
from scripts.exits import OpsError, TemporaryError
from tests.services import ops_environment, servers, signing_keys
from tests.services.ops_environment import BUCKET, PREFIX, Environment, await_log, finish
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed"),
]

_LIBRARY = "#!lua name=prices\nredis.register_function('one', function() return 1 end)"
_OPTIONS = ("--repl-diskless-sync-delay", "0", "--appendonly", "yes", "--enable-debug-command", "local")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server
) -> Iterator[tuple[Environment, Server]]:
    with (
        ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment,
        servers.redis(*_OPTIONS) as server,
    ):
        environment.configure(redis={"host": server.host, "port": server.port})
        yield environment, server


@pytest.fixture
def environment(running: tuple[Environment, Server]) -> Environment:
    environment, server = running
    environment.reset()
    _client(server).flushall()
    _fill(server)
    return environment


@pytest.fixture
def server(running: tuple[Environment, Server]) -> Server:
    return running[1]


def _client(server: Server, database: int = 0) -> Any:
    return redis.Redis(server.host, server.port, db=database)


def _fill(server: Server) -> None:
    """Every type that the services could use, in two databases, with keys that expire."""
    client = _client(server)
    client.set("text", "x" * 5000)
    client.set("number", 12345)
    client.rpush("list", *range(1000))
    client.rpush("long list", *["y" * 9000] * 5)
    client.sadd("integers", *range(10))
    client.sadd("set", *(f"m{i}" for i in range(1000)))
    client.zadd("small zset", {"a": 1.5, "b": 2})
    client.zadd("zset", {f"k{i}": i * 1.1 for i in range(1000)})
    client.hset("small hash", mapping={"a": 1})
    client.hset("hash", mapping={f"f{i}": "v" * 100 for i in range(600)})
    for i in range(300):
        client.xadd("stream", {"f": i})
    client.xgroup_create("stream", "group", "0")
    client.xreadgroup("group", "consumer", {"stream": ">"}, count=5)
    client.function_load(_LIBRARY, replace=True)
    client.set("later", "v", ex=5000)
    _client(server, 3).set("abc" * 50, "packed name", ex=5000)


def _dumps(server: Server) -> dict[tuple[int, bytes], tuple[bytes, int]]:
    """Every key with its value as DUMP gives it and its expiry."""
    found: dict[tuple[int, bytes], tuple[bytes, int]] = {}
    for database in range(16):
        client = _client(server, database)
        for name in client.scan_iter():
            found[database, name] = (client.dump(name), client.execute_command("PEXPIRETIME", name))
    return found


def _content(server: Server) -> dict[tuple[int, bytes], tuple[Any, int]]:
    """The same, with sets and hashes as what they hold: the order in a large one is of no meaning."""
    found: dict[tuple[int, bytes], tuple[Any, int]] = dict(_dumps(server))
    for (database, name), (_, expires) in list(found.items()):
        client = _client(server, database)
        match client.type(name):
            case b"set":
                found[database, name] = client.smembers(name), expires
            case b"hash":
                found[database, name] = client.hgetall(name), expires
            case _:
                pass
    return found


def _backup(environment: Environment) -> str:
    answer = environment.ops("backup", "redis", "--json")
    assert answer.code == 0, answer.stderr
    return answer.json["id"]


def _key(backup: str, name: str) -> str:
    return f"{PREFIX}redis/{backup}/{name}"


def _manifest(environment: Environment, backup: str) -> dict[str, Any]:
    return json.loads(environment.s3.get_object(Bucket=BUCKET, Key=_key(backup, "manifest.json"))["Body"].read())


def test_a_backup_counts_every_key_and_comes_back_to_the_bit(environment: Environment, server: Server) -> None:
    before = _content(server)
    backup = _backup(environment)
    manifest = _manifest(environment, backup)
    assert environment.keys() == [_key(backup, name) for name in ("dump.rdb.zst", "manifest.json")]
    assert environment.uploads() == []
    assert {space["index"]: (space["keys"], space["expiring"]) for space in manifest["databases"]} == {
        0: (12, 1),
        3: (1, 1),
    }
    client = _client(server)
    client.flushall()
    client.function_flush()
    client.set("after the backup", 1)
    _client(server, 5).set("a database that was empty", 1)

    answer = environment.ops("restore", "redis", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert answer.json["verified"].startswith("loaded into a server of Redis ")
    assert _content(server) == before
    assert client.fcall("one", 0) == 1


def test_what_was_restored_survives_a_restart_with_the_append_only_file_on(environment: Environment) -> None:
    """Copying a dump.rdb would be ignored here, and overwritten at the shutdown (defect 13)."""
    original = environment.settings["redis"]
    with servers.redis(*_OPTIONS) as target:
        environment.configure(redis={"host": target.host, "port": target.port})
        try:
            _fill(target)
            expected = _content(target)
            backup = _backup(environment)
            _client(target).flushall()
            _client(target).set("lost", 1)
            assert environment.ops("restore", "redis", "--id", backup, "--yes", "--json").code == 0
            wait_until(lambda: not _client(target).info("persistence")["aof_rewrite_in_progress"], "no rewrite runs")
            copy = shutil.copytree(target.log.parent / "appendonlydir", environment.folder / "appendonlydir")
        finally:
            environment.configure(redis=original)
    with servers.redis("--appendonly", "yes", "--dir", str(copy.parent)) as again:
        wait_until(lambda: not _client(again).info("persistence")["loading"], "it has loaded its file")
        assert _content(again) == expected


def test_keys_that_have_expired_meanwhile_stay_away_and_nothing_is_missing(
    environment: Environment, server: Server
) -> None:
    # The server keeps what has expired until it looks for it: so the backup has the key, however long it takes.
    _client(server).execute_command("DEBUG SET-ACTIVE-EXPIRE", 0)
    _client(server).set("short", "v", px=1)
    try:
        backup = _backup(environment)
    finally:
        _client(server).execute_command("DEBUG SET-ACTIVE-EXPIRE", 1)
    assert _manifest(environment, backup)["databases"][0]["keys"] == 13
    wait_until(lambda: _client(server).exists("short") == 0, "it has expired")

    verified = environment.ops("backups", "verify", "--kind", "redis", "--json")
    answer = environment.ops("restore", "redis", "--yes", "--json")

    assert verified.code == 0, verified.stderr
    assert answer.code == 0, answer.stderr
    assert (answer.json["keys"], answer.json["expired"]) == (13, 1)
    assert _client(server).exists("short") == 0


@pytest.mark.parametrize("damage", ["truncated", "altered", "count"])
def test_what_cannot_be_trusted_touches_nothing_and_is_not_proven(
    environment: Environment, server: Server, damage: str
) -> None:
    backup = _backup(environment)
    key = _key(backup, "dump.rdb.zst")
    content = bytearray(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    manifest = _manifest(environment, backup)
    match damage:
        case "truncated":
            del content[-1]
        case "altered":
            content[len(content) // 2] ^= 1
        case _:
            # As it is in backups whose keys were counted in the RDB itself.
            manifest |= {"formatVersion": 3, "exact": True}
            manifest["databases"][0]["keys"] += 1
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(content))
    environment.s3.put_object(Bucket=BUCKET, Key=_key(backup, "manifest.json"), Body=json.dumps(manifest).encode())
    before = _content(server)

    restored = environment.ops("restore", "redis", "--yes", "--json")
    verified = environment.ops("backups", "verify", "--kind", "redis", "--json")

    assert restored.code == verified.code == 1, restored.stderr
    assert _content(server) == before
    assert _key(backup, "proof.json") not in sorted(environment.keys())


@pytest.mark.parametrize("command", [("backups", "verify", "--kind", "redis"), ("restore", "redis", "--yes")])
def test_without_a_redis_server_it_is_said_which_one_to_install(
    environment: Environment, server: Server, command: tuple[str, ...]
) -> None:
    backup = _backup(environment)
    folder = environment.folder / "no-redis"
    folder.mkdir(exist_ok=True)

    answer = environment.ops(*command, "--json", extra={"PATH": str(folder)})

    assert answer.code == 2, answer.stderr
    version = _client(server).info("server")["redis_version"]
    assert f"none is installed here; install version {version} or newer" in answer.json["error"]
    assert _key(backup, "proof.json") not in sorted(environment.keys())


def test_a_snapshot_whose_fork_dies_leaves_nothing_visible(environment: Environment, server: Server) -> None:
    _client(server).config_set("rdb-key-save-delay", 2_000_000)
    try:
        process = environment.start("backup", "redis", "--json")
        await_log(process, "snapshot started")
        wait_until(lambda: bool(_children(server)), "the server has forked")
        for child in _children(server):
            os.kill(child, signal.SIGKILL)
        answer = finish(process)
    finally:
        _client(server).config_set("rdb-key-save-delay", 0)

    assert answer.code == 75, answer.stderr
    assert environment.keys() == []
    assert environment.uploads() == []


def _children(server: Server) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]


def test_a_backup_killed_in_the_middle_is_healed_by_the_next(environment: Environment, server: Server) -> None:
    _client(server).config_set("rdb-key-save-delay", 500_000)
    try:
        process = environment.start("backup", "redis", "--json")
        await_log(process, "snapshot started")
        wait_until(lambda: bool(environment.uploads()), "the upload has begun")
        process.kill()
        process.wait()
    finally:
        _client(server).config_set("rdb-key-save-delay", 0)
    assert environment.keys() == []

    backup = _backup(environment)

    # The endpoint dates every upload to 2010: it is old enough to be nobody's.
    assert environment.uploads() == []
    assert environment.keys() == [_key(backup, name) for name in ("dump.rdb.zst", "manifest.json")]


def test_a_restore_killed_in_the_middle_changes_nothing_and_the_next_one_cleans_up(
    environment: Environment, server: Server
) -> None:
    client = _client(server)
    client.mset({f"large:{i}": os.urandom(2**15) for i in range(200)})
    _backup(environment)
    before = _content(server)
    with servers.gate(server) as gate:
        direct = environment.settings["redis"]
        environment.configure(redis={"host": "127.0.0.1", "port": gate.port})
        try:
            process = environment.start("restore", "redis", "--yes", "--json")
            await_log(process, "trying the backup")
            gate.hold_after(2 * 2**20)
            wait_until(lambda: gate.held, "the restore stands still")
            process.kill()
            process.wait()
        finally:
            environment.configure(redis=direct)
    left = _dumps(server)
    assert [name for database, name in left if database == 15] == [LOCK]
    assert len([name for database, name in left if database in (13, 14)]) > 10
    assert {key: value for key, value in _content(server).items() if key[0] < 13} == before

    busy = environment.ops("restore", "redis", "--yes", "--json")
    assert busy.code == 75
    assert "another restore of Redis is running" in busy.json["error"]
    _age_lock(server)
    answer = environment.ops("restore", "redis", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    assert _content(server) == before


def _age_lock(server: Server) -> None:
    """Make the lock of a killed restore two minutes old, after which the next one empties what it names."""
    _client(server, 15).hset(LOCK, "renewed", int(time.time()) - 121)


def test_what_does_not_fit_beside_the_present_data_is_refused(environment: Environment, server: Server) -> None:
    _backup(environment)
    client = _client(server)
    client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.2))
    before = _content(server)
    try:
        answer = environment.ops("restore", "redis", "--yes", "--json")
    finally:
        client.config_set("maxmemory", 0)

    assert answer.code == 2
    assert "old keys would be evicted" in answer.json["error"]
    assert _content(server) == before


def test_nobody_confirmed_and_a_dry_run_change_nothing(environment: Environment, server: Server) -> None:
    dry = environment.ops("backup", "redis", "--dry-run", "--json")
    assert (dry.code, environment.keys()) == (0, [])
    _backup(environment)
    _client(server).set("after", 1)
    before = _content(server)

    refused = environment.ops("restore", "redis", "--json")
    would = environment.ops("restore", "redis", "--dry-run", "--json")

    assert refused.code == 2
    assert refused.json["error"] == "this replaces 14 keys of Redis; confirm it with --yes"
    assert (would.code, would.json["keys"], would.json["replaces"]) == (0, 13, 14)
    assert _content(server) == before


def test_an_encrypted_backup_restores_with_its_key_only(environment: Environment, server: Server) -> None:
    import importlib

    pyrage: Any = importlib.import_module("pyrage")
    identity = pyrage.x25519.Identity.generate()
    file = environment.folder / "identity"
    file.write_text(str(identity))
    good = environment.settings["backup"]
    before = _content(server)
    try:
        environment.configure(backup={**good, "publicKey": str(identity.to_public())})
        backup = _backup(environment)
        refused = environment.ops("restore", "redis", "--yes", "--json")
        environment.configure(backup={**environment.settings["backup"], "privateKeyFile": str(file)})
        _client(server).flushall()
        restored = environment.ops("restore", "redis", "--yes", "--json")
    finally:
        environment.configure(backup=good)

    assert environment.keys()[0] == _key(backup, "dump.rdb.zst.age")
    assert refused.code == 2
    assert restored.code == 0, restored.stderr
    assert _content(server) == before


def test_a_signed_backup_restores_and_a_forged_one_changes_nothing(
    environment: Environment, server: Server, tmp_path: Path
) -> None:
    good, before = environment.settings["backup"], _content(server)
    environment.configure(backup={**good, "signers": signing_keys.signers(tmp_path)})
    try:
        backup = _backup(environment)
        restored = environment.ops("restore", "redis", "--yes", "--json")
        manifest = json.dumps(_manifest(environment, backup) | {"exact": True}).encode()
        environment.s3.put_object(Bucket=BUCKET, Key=_key(backup, "manifest.json"), Body=manifest)
        refused = environment.ops("restore", "redis", "--yes", "--json")
    finally:
        environment.configure(backup=good)

    assert restored.code == 0, restored.stderr
    assert refused.code == 1
    assert f"manifest {_key(backup, 'manifest.json')} is forged: its signature is wrong" in refused.json["error"]
    assert _content(server) == before


@contextmanager
def _speaks(answer: Callable[[socket.socket], None]) -> Generator[RedisTarget]:
    """Something that accepts one connection and answers as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            # Who is told enough hangs up, in the middle of a sentence if need be.
            with connection, contextlib.suppress(ConnectionError):
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield RedisTarget(host="127.0.0.1", port=int(listener.getsockname()[1]))
        thread.join(10)


_MARK = b"0123456789" * 4


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (b"+FULLRESYNC x 0\r\n\n\n$EOF:" + _MARK + b"\r\nREDIS" + _MARK, b"REDIS"),
        (b"+FULLRESYNC x 0\r\n$5\r\nREDIS+more commands", b"REDIS"),
        (b"\n\n+FULLRESYNC x 0\r\n$EOF:" + _MARK + b"\r\n" + _MARK[:39] + b"!" + _MARK, _MARK[:39] + b"!"),
        (b"+FULLRESYNC x 0\r\n$EOF:" + _MARK + b"\r\nREDIS" + _MARK[:39], TemporaryError),
        (b"+FULLRESYNC x 0\r\n$6\r\nREDIS", TemporaryError),
        (b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n", TemporaryError),
        (b"-ERR unknown command `PSYNC`\r\n", OpsError),
        (b"", TemporaryError),
    ],
)
@pytest.mark.parametrize("pieces", [1, 3, 10_000])
def test_a_snapshot_ends_well_or_raises_however_it_is_cut(told: bytes, expected: Any, pieces: int) -> None:
    def answer(connection: socket.socket) -> None:
        for reply in (b"+PONG\r\n", b"+OK\r\n", b"-ERR unknown word\r\n"):
            connection.recv(1000)
            connection.sendall(reply)
        connection.recv(1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(told), pieces):
            connection.sendall(told[start : start + pieces])

    with _speaks(answer) as target:
        if isinstance(expected, bytes):
            with replication.snapshot(target) as chunks:
                assert b"".join(chunks) == expected
        else:
            with pytest.raises(expected), replication.snapshot(target) as chunks:
                list(chunks)


def test_a_silent_server_is_given_up() -> None:
    given_up = threading.Event()

    def answer(_: socket.socket) -> None:
        given_up.wait(10)

    with _speaks(answer) as target:
        with pytest.raises(TemporaryError) as told, replication.snapshot(target, silence=0.2):
            pass
        given_up.set()
    assert "no byte within 0.2 s" in str(told.value)
