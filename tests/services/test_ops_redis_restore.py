"""The way of a Redis restore: what is staging and what is a user's, the throwaway server, functions and ACL users."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import zstandard

from scripts.backup.manifest import Keyspace
from scripts.backup.redis_restore import check_clocks
from scripts.backup.redis_staging import LOCK
from scripts.exits import UsageError
from tests.running.owned import owned_folder
from tests.services import ops_environment, servers
from tests.services.ops_environment import BUCKET, PREFIX, Environment, await_log, finish
from tests.services.ops_process import OpsProcess
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed"),
]

_LAST = 15
_LIBRARY = "#!lua name={0}\nredis.register_function('{0}', function() return {1} end)"
_OPTIONS = ("--repl-diskless-sync-delay", "0", "--enable-debug-command", "local")


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
    client = _client(server)
    client.flushall()
    client.function_flush()
    client.mset({f"large:{number}": os.urandom(2**15) for number in range(200)})
    _client(server, 3).set("elsewhere", "v", ex=5000)
    return environment


@pytest.fixture
def server(running: tuple[Environment, Server]) -> Server:
    return running[1]


def _client(server: Server, database: int = 0) -> Any:
    return redis.Redis(server.host, server.port, db=database)


def _sizes(server: Server) -> dict[int, int]:
    return {int(name[2:]): int(told["keys"]) for name, told in _client(server).info("keyspace").items()}


def _digest(server: Server) -> bytes:
    return _client(server).execute_command("DEBUG DIGEST")


def _backup(environment: Environment) -> str:
    answer = environment.ops("backup", "redis", "--json")
    assert answer.code == 0, answer.stderr
    return answer.json["id"]


def _document(environment: Environment, backup: str, name: str) -> dict[str, Any]:
    key = f"{PREFIX}redis/{backup}/{name}.json"
    return json.loads(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def _replace(
    environment: Environment, backup: str, name: str, changes: dict[str, Any], whole: dict[str, Any] | None = None
) -> None:
    body = json.dumps((whole or _document(environment, backup, name)) | changes).encode()
    environment.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}redis/{backup}/{name}.json", Body=body)


@contextmanager
def _standing_still(environment: Environment, server: Server) -> Generator[tuple[OpsProcess, servers.Gate]]:
    """A restore that stands still while it stages; its lock and a part of its keys are there."""
    direct = environment.settings["redis"]
    with servers.gate(server) as gate:
        environment.configure(redis={"host": "127.0.0.1", "port": gate.port})
        try:
            process = environment.start("restore", "redis", "--yes", "--json")
            await_log(process, "trying the backup")
            gate.hold_after(3 * 2**20)
            wait_until(lambda: gate.held, "the restore stands still")
        finally:
            environment.configure(redis=direct)
        wait_until(lambda: {_LAST, 14} <= _sizes(server).keys(), "a part is staged")
        yield process, gate


def _age_lock(server: Server) -> None:
    """Make the lock of a killed restore two minutes old, after which the next one empties what it names."""
    _client(server, _LAST).hset(LOCK, "renewed", int(time.time()) - 121)


@pytest.mark.parametrize("killed", [True, False])
def test_a_backup_made_while_a_restore_loads_or_after_a_killed_one_is_proven_and_comes_back(
    environment: Environment, server: Server, killed: bool
) -> None:
    _backup(environment)
    before = _digest(server)
    with _standing_still(environment, server) as (process, gate):
        if killed:
            process.kill()
        second = _backup(environment)
        gate.release()
        ended = finish(process)
    verified = environment.ops("backups", "verify", "--kind", "redis", "--json")
    if killed:
        _age_lock(server)
    else:
        assert ended.code == 0, ended.stderr
    _client(server).set("after", 1)
    answer = environment.ops("restore", "redis", "--id", second, "--yes", "--json")

    told = {space["index"]: space["keys"] for space in _document(environment, second, "manifest")["databases"]}
    assert told == {0: 200, 3: 1}
    assert verified.code == 0, verified.stdout
    assert _document(environment, second, "proof")["counts"] == {"db0": 200, "db3": 1}
    assert answer.code == 0, answer.stderr
    assert _digest(server) == before


def test_a_users_key_with_a_name_of_ops_in_live_data_decides_nothing(environment: Environment, server: Server) -> None:
    for name in ("ops:restore:staging", LOCK):
        _client(server).set(name, 0)
        _client(server, 7).set(name, 0)
    before = _digest(server)
    backup = _backup(environment)
    verified = environment.ops("backups", "verify", "--kind", "redis", "--json")
    answer = environment.ops("restore", "redis", "--id", backup, "--yes", "--json", "--dry-run")
    untouched = _digest(server)
    restored = environment.ops("restore", "redis", "--id", backup, "--yes", "--json")

    assert verified.code == answer.code == restored.code == 0, restored.stderr
    assert untouched == _digest(server) == before
    assert "emptying" not in restored.stderr


@pytest.mark.parametrize("fields", [None, {"token": "t", "state": "loading", "renewed": 0}])
def test_where_the_last_database_holds_users_keys_a_restore_refuses_and_names_them(
    environment: Environment, server: Server, fields: dict[str, Any] | None
) -> None:
    _backup(environment)
    last = _client(server, _LAST)
    last.mset({"mine": 1, "ops:restore:staging": 1})
    if fields is not None:
        last.hset(LOCK, mapping=fields)
    before = _digest(server)

    answer = environment.ops("restore", "redis", "--yes", "--json")

    assert answer.code == 2, answer.stderr
    assert (
        "database 15, the last of Redis, is kept for ops and holds 2 other keys ('mine'; 'ops:restore:staging')"
        in (answer.json["error"])
    )
    assert "a killed restore of an older ops" in answer.json["error"]
    assert _digest(server) == before


def test_users_keys_of_the_last_database_are_in_the_backup_and_come_back_where_there_are_more(
    environment: Environment, server: Server
) -> None:
    _client(server, _LAST).set("mine", 1)
    made = environment.ops("backup", "redis", "--json")
    direct = environment.settings["redis"]
    refused = environment.ops("restore", "redis", "--yes", "--json")
    with servers.redis(*_OPTIONS, "--databases", "17") as wider:
        environment.configure(redis={"host": wider.host, "port": wider.port})
        try:
            answer = environment.ops("restore", "redis", "--yes", "--json")
        finally:
            environment.configure(redis=direct)
        assert answer.code == 0, answer.stderr
        assert _digest(wider) == _digest(server)

    assert "the last database is kept for ops" in made.stderr
    assert refused.code == 2
    assert "`databases` to 17 or more" in refused.json["error"]


def test_of_a_killed_restore_only_what_it_has_put_somewhere_is_emptied(
    environment: Environment, server: Server
) -> None:
    _backup(environment)
    with _standing_still(environment, server) as (process, _):
        process.kill()
        process.wait()
    _age_lock(server)
    _client(server, 14).mset({f"mine:{number}": number for number in range(_sizes(server)[14])})
    _client(server, 13).set("the restore's own", 1)
    _client(server, _LAST).hset(LOCK, "db:13", 1)
    # No lock names these; with them too few are free, and the restore ends before its swap.
    for number in (1, 2, *range(4, 13)):
        _client(server, number).set("mine", 1)

    answer = environment.ops("restore", "redis", "--yes", "--json")

    assert answer.code == 2, answer.stderr
    assert "a restore needs 2 that are free" in answer.json["error"]
    assert '"left: it holds keys that no restore has put there", "database": 14' in answer.stderr
    assert _client(server, 14).get("mine:0") == b"0"
    assert sorted(_sizes(server)) == [*range(13), 14]


def test_what_was_live_before_a_swap_whose_restore_was_killed_is_no_part_of_a_backup_and_goes_with_the_next(
    environment: Environment, server: Server
) -> None:
    before = _digest(server)
    lock = {"token": "t", "state": "swapped", "renewed": 0, "db:14": 3, "db:13": 1}
    _client(server, _LAST).hset(LOCK, mapping=lock)
    _client(server, 14).mset({f"live before:{number}": 1 for number in range(1000)})
    _backup(environment)

    verified = environment.ops("backups", "verify", "--kind", "redis", "--json")
    answer = environment.ops("restore", "redis", "--yes", "--json")

    assert verified.code == answer.code == 0, answer.stderr
    assert verified.json["backups"][0]["total"] == 201
    assert _digest(server) == before


def test_a_restore_that_another_has_taken_over_touches_nothing_any_more(
    environment: Environment, server: Server
) -> None:
    _backup(environment)
    before = _digest(server)
    with _standing_still(environment, server) as (process, gate):
        _age_lock(server)
        other = environment.ops("restore", "redis", "--yes", "--json")
        _client(server).set("written after the other", 1)
        gate.release()
        ended = finish(process)

    assert other.code == 0, other.stderr
    assert ended.code == 75, ended.stderr
    assert _client(server).delete("written after the other") == 1
    assert _digest(server) == before
    assert _sizes(server) == {0: 200, 3: 1}


def test_a_redis_without_a_command_that_a_restore_needs_is_refused_before_it_begins(environment: Environment) -> None:
    _backup(environment)
    direct = environment.settings["redis"]
    with servers.redis(*_OPTIONS, "--rename-command", "FLUSHDB", "", "--rename-command", "FLUSHALL", "") as other:
        environment.configure(redis={"host": other.host, "port": other.port})
        try:
            _client(other).set("live", "v")
            answers = [
                environment.ops("restore", "redis", *options, "--json") for options in (("--yes",), ("--dry-run",))
            ]
        finally:
            environment.configure(redis=direct)
        assert [answer.code for answer in answers] == [2, 2]
        assert all("this Redis has no FLUSHDB (rename-command)" in answer.json["error"] for answer in answers)
        assert _sizes(other) == {0: 1}


@contextmanager
def _on(environment: Environment, *options: str) -> Generator[Server]:
    """Another Redis, which ``ops`` works with."""
    direct = environment.settings["redis"]
    with servers.redis(*_OPTIONS, *options) as other:
        environment.configure(redis={"host": other.host, "port": other.port})
        try:
            yield other
        finally:
            environment.configure(redis=direct)


def test_a_value_longer_than_the_server_takes_is_proven_and_its_restore_names_the_setting(
    environment: Environment,
) -> None:
    with _on(environment, "--proto-max-bulk-len", "1mb") as other:
        _client(other).rpush("long", *(os.urandom(1000) for _ in range(3000)))
        before = _digest(other)
        _backup(environment)
        proven = environment.ops("backups", "verify", "--kind", "redis", "--json")
        refused = environment.ops("restore", "redis", "--yes", "--json")
        left = _sizes(other)
        _client(other).config_set("proto-max-bulk-len", "8mb")
        restored = environment.ops("restore", "redis", "--yes", "--json")
        assert _digest(other) == before

    assert [answer.code for answer in (proven, refused, restored)] == [0, 2, 0], (proven, refused, restored)
    assert "key 'long' is one value of" in refused.json["error"]
    assert "set proto-max-bulk-len and client-query-buffer-limit above" in refused.json["error"]
    assert left == {0: 1}


def test_a_redis_that_takes_no_writes_is_told_before_a_backup_is_loaded(environment: Environment) -> None:
    _backup(environment)
    with _on(environment, "--min-replicas-to-write", "1"):
        answer = environment.ops("restore", "redis", "--yes", "--json")

    assert answer.code == 75
    assert answer.json["error"].endswith("bring its replicas back, or set min-replicas-to-write 0 meanwhile")
    assert "staging" not in answer.stderr


def test_the_number_of_databases_that_is_asked_for_is_enough(environment: Environment) -> None:
    _backup(environment)
    with _on(environment, "--databases", "4"):
        refused = environment.ops("restore", "redis", "--yes", "--json")
    wanted = re.search(r"set `databases` to (\d+) or more", refused.json["error"])
    assert wanted is not None, refused
    with _on(environment, "--databases", wanted[1]):
        answer = environment.ops("restore", "redis", "--yes", "--json")

    assert refused.code == 2
    assert answer.code == 0, answer.stderr


def test_functions_change_with_the_data_and_become_those_of_the_backup(
    environment: Environment, server: Server
) -> None:
    client = _client(server)
    client.function_load(_LIBRARY.format("one", 1))
    _backup(environment)
    client.function_load(_LIBRARY.format("one", 2), replace=True)
    client.function_load(_LIBRARY.format("two", 2))
    with _standing_still(environment, server) as (process, _):
        staged = client.fcall("one", 0)
        process.kill()
        process.wait()
    killed = client.fcall("one", 0)
    _age_lock(server)
    answer = environment.ops("restore", "redis", "--yes", "--json")

    assert (staged, killed) == (2, 2)
    assert answer.code == 0, answer.stderr
    assert client.fcall("one", 0) == 1
    assert [library[1] for library in client.function_list()] == [b"one"]


def test_acl_users_are_named_without_their_passwords_and_missing_ones_come_back_switched_off(
    environment: Environment, server: Server
) -> None:
    client = _client(server)
    client.execute_command("ACL SETUSER", "here", "on", ">geheim", "~old:*", "+get")
    client.execute_command("ACL SETUSER", "gone", "on", ">geheim", "%R~prices:*", "&news", "-@all", "+get", "(~x +set)")
    rules = client.acl_getuser("gone")
    try:
        backup = _backup(environment)
        client.acl_deluser("gone")
        client.execute_command("ACL SETUSER", "here", "~new:*")
        here = client.acl_getuser("here")
        answer = environment.ops("restore", "redis", "--yes", "--json")
        found, kept = client.acl_getuser("gone"), client.acl_getuser("here")
    finally:
        client.acl_deluser("here", "gone")

    assert answer.code == 0, answer.stderr
    assert answer.json["users"] == ["gone"]
    assert kept == here
    assert "off" in found["flags"]
    assert not found["passwords"]
    for name in ("keys", "channels", "commands", "selectors"):
        assert found[name] == rules[name]
    told = json.dumps(_document(environment, backup, "manifest")["users"])
    assert '"gone"' in told
    assert not any(word in told for word in ("geheim", "#", "nopass"))


def test_a_login_that_may_not_list_acl_users_saves_and_restores_all_the_rest(
    environment: Environment, server: Server
) -> None:
    client, direct = _client(server), environment.settings["redis"]
    client.execute_command("ACL SETUSER", "ops", "on", ">geheim", "~*", "&*", "+@all", "-acl")
    (environment.folder / "redis").write_text("geheim\n")
    environment.configure(redis=direct | {"login": {"user": "ops", "passwordFile": str(environment.folder / "redis")}})
    before = _digest(server)
    try:
        made = environment.ops("backup", "redis", "--json")
        client.flushall()
        answer = environment.ops("restore", "redis", "--yes", "--json")
    finally:
        environment.configure(redis=direct)
        client.acl_deluser("ops")

    assert made.code == answer.code == 0, made.stderr + answer.stderr
    assert "the ACL users are not in the backup" in made.stderr
    assert _document(environment, made.json["id"], "manifest")["users"] is None
    assert _digest(server) == before


@pytest.mark.parametrize("operation", ["verify", "restore"])
def test_a_backup_that_loads_otherwise_than_when_it_was_proven_is_refused(
    environment: Environment, server: Server, operation: str
) -> None:
    backup = _backup(environment)
    assert environment.ops("backups", "verify", "--kind", "redis", "--json").code == 0
    digests = _document(environment, backup, "proof")["digests"]
    _replace(environment, backup, "proof", {"digests": dict.fromkeys(digests, "0" * 40)})
    before = _digest(server)
    command = ("restore", "redis", "--yes") if operation == "restore" else ("backups", "verify", "--kind", "redis")

    answer = environment.ops(*command, "--json")

    assert digests == {_client(server).info("server")["redis_version"]: before.decode()}
    assert answer.code == 1
    assert "its digest is not the one with which it was proven" in answer.json["error"]
    assert _digest(server) == before


def test_a_backup_of_an_older_ops_is_compared_exactly_and_comes_back(environment: Environment, server: Server) -> None:
    backup = _backup(environment)
    manifest = _document(environment, backup, "manifest")
    for field in ("exact", "serverDatabases", "users"):
        del manifest[field]
    _replace(environment, backup, "manifest", {}, manifest | {"formatVersion": 3})
    before = _digest(server)
    _client(server).flushall()

    answer = environment.ops("restore", "redis", "--yes", "--json")
    manifest["databases"][0]["expiring"] += 1
    _replace(environment, backup, "manifest", {}, manifest | {"formatVersion": 3})
    refused = environment.ops("backups", "verify", "--kind", "redis", "--json")

    assert answer.code == 0, answer.stderr
    assert _digest(server) == before
    assert refused.code == 1
    assert "the keys that expire are not those of the manifest" in refused.json["error"]


def test_a_backup_of_a_newer_redis_than_the_installed_one_names_both(environment: Environment) -> None:
    backup = _backup(environment)
    _replace(environment, backup, "manifest", {"rdbVersion": 99, "serverVersion": "9.9.9"})

    for command in (("restore", "redis", "--yes"), ("backups", "verify", "--kind", "redis")):
        answer = environment.ops(*command, "--json")
        assert answer.code == 2
        assert "is of Redis 9.9.9 (RDB 99), and the throwaway server is Redis 7" in answer.json["error"]
        assert "install redis-server 9.9.9 or newer" in answer.json["error"]


def _altered(content: bytes, damage: str) -> bytes:
    match damage:
        case "cut":
            return content[:-50]
        case "checksum":
            return content[:-1] + bytes([content[-1] ^ 1])
        case "continued":
            return b"REDIS0010\xf0" + content[9:]
        case _:
            return b"RUBBISH" * 10


@pytest.mark.parametrize("damage", ["cut", "checksum", "continued", "rubbish"])
def test_an_rdb_that_redis_does_not_load_is_damage_and_its_reason_is_told(
    environment: Environment, server: Server, damage: str
) -> None:
    """What lies in the bucket is what was saved: only Redis finds this."""
    backup = _backup(environment)
    assert environment.ops("backups", "verify", "--kind", "redis", "--json").code == 0
    key = f"{PREFIX}redis/{backup}/dump.rdb.zst"
    content = (
        zstandard.ZstdDecompressor()
        .decompressobj()
        .decompress(environment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    )
    altered = _altered(content, damage)
    packed = zstandard.ZstdCompressor().compress(altered)
    environment.s3.put_object(Bucket=BUCKET, Key=key, Body=packed)
    digest = {"bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
    _replace(environment, backup, "manifest", {"stored": digest, "uncompressed": {"bytes": len(altered)}})
    before = _digest(server)

    verified = environment.ops("backups", "verify", "--kind", "redis", "--json")
    restored = environment.ops("restore", "redis", "--yes", "--json")

    assert verified.code == restored.code == 1, restored.stderr
    assert "its RDB does not load: " in verified.json["error"]
    assert _document(environment, backup, "proof")["revoked"]
    assert _digest(server) == before


@contextmanager
def _throwaway(*options: str) -> Generator[tuple[Path, Server]]:
    """The folder for ``--scratch`` with a throwaway server, and that server, which has a port here besides."""
    with owned_folder() as folder:
        place = folder / "redis"
        place.mkdir()
        arguments = ("--unixsocket", str(place / "redis.sock"), "--dir", str(place), "--enable-debug-command", "local")
        with servers.redis("--databases", "100", *arguments, *options) as server:
            yield folder, server


def _verify(environment: Environment, folder: Path) -> ops_environment.Answer:
    return environment.ops("backups", "verify", "--kind", "redis", "--json", "--scratch", str(folder))


def test_a_verification_loads_into_the_throwaway_server_that_listens_already_and_empties_it(
    environment: Environment, server: Server
) -> None:
    _client(server).function_load(_LIBRARY.format("one", 1))
    _client(server).execute_command("DEBUG SET-ACTIVE-EXPIRE", 0)
    _client(server).set("short", "v", px=1)
    try:
        backup = _backup(environment)
    finally:
        _client(server).execute_command("DEBUG SET-ACTIVE-EXPIRE", 1)
    with _throwaway() as (folder, throwaway):
        first = _verify(environment, folder)
        # As a verification leaves it that is killed.
        _client(throwaway, 5).set("loaded", 1)
        answers = [first, _verify(environment, folder)]
        left, files = _sizes(throwaway), [path.name for path in (folder / "redis").iterdir()]
        libraries = _client(throwaway).function_list()

    assert [answer.code for answer in answers] == [0, 0], answers[0].stdout
    assert _document(environment, backup, "proof")["counts"] == {"db0": 201, "db3": 1}
    assert (left, files, libraries) == ({}, ["redis.sock"], [])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--enable-debug-command", "no"), "refuses DEBUG; start it with `enable-debug-command local`"),
        (("--databases", "16"), "has 16 databases, and backup"),
        (("--dir", "/tmp"), "keeps its files elsewhere"),
        (("--maxmemory", "2mb"), "needs about"),
    ],
)
def test_a_throwaway_server_that_is_not_as_it_must_be_is_a_mistake_in_one_line(
    environment: Environment, options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    backup = _backup(environment)
    options = tuple(str(tmp_path) if option == "/tmp" else option for option in options)
    with _throwaway(*options) as (folder, _):
        answer = _verify(environment, folder)

    assert answer.code == 2, answer.stdout
    assert told in answer.json["error"]
    assert f"{PREFIX}redis/{backup}/proof.json" not in sorted(environment.keys())


def test_a_throwaway_server_that_ends_while_it_loads_had_too_little_memory_and_takes_no_proof_back(
    environment: Environment,
) -> None:
    backup = _backup(environment)
    assert environment.ops("backups", "verify", "--kind", "redis", "--json").code == 0
    with _throwaway("--key-load-delay", "100000") as (folder, throwaway):
        process = environment.start("backups", "verify", "--kind", "redis", "--json", "--scratch", str(folder))
        await_log(process, "trying the backup")
        os.kill(throwaway.pid, signal.SIGKILL)
        answer = finish(process)

    assert answer.code == 75, answer.stderr
    assert "ended while it loaded; where its container was killed for its memory, give it more" in answer.json["error"]
    listed = environment.ops("backups", "list", "--json").json["backups"]
    assert {entry["id"]: entry["proven"] for entry in listed} == {backup: True}


def test_an_installed_server_that_is_killed_while_it_loads_had_too_little_memory_and_takes_no_proof_back(
    environment: Environment, tmp_path: Path
) -> None:
    backup = _backup(environment)
    assert environment.ops("backups", "verify", "--kind", "redis", "--json").code == 0
    slow = tmp_path / "redis-server"
    slow.write_text(f'#!/bin/sh\nexec {shutil.which("redis-server")} "$@" --key-load-delay 100000\n')
    slow.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    process = environment.start("backups", "verify", "--kind", "redis", "--json", extra={"PATH": path})
    folder = str(Path(await_log(process, "trying the backup")["server"]).parent)
    os.kill(_process_in(folder), signal.SIGKILL)
    answer = finish(process)

    assert answer.code == 75, answer.stderr
    assert "was killed by signal 9 while it loaded, as the kernel does where memory ends" in answer.json["error"]
    assert _document(environment, backup, "proof")["revoked"] is None


def _process_in(folder: str) -> int:
    for link in Path("/proc").glob("[0-9]*/cwd"):
        # Others end meanwhile.
        with suppress(OSError):
            if str(link.readlink()) == folder:
                return int(link.parent.name)
    raise AssertionError(f"no process works in {folder}")


@pytest.mark.parametrize(("ahead", "expiring", "refused"), [(4, 1, False), (7, 1, True), (3600, 0, False)])
def test_keys_that_expire_are_not_judged_by_a_clock_that_is_ahead(ahead: int, expiring: int, refused: bool) -> None:
    spaces = [Keyspace(index=0, keys=3, expiring=expiring)]
    with pytest.raises(UsageError, match=r"clock is 7.* ahead") if refused else nullcontext():
        check_clocks(1_000_000 + ahead * 1000, 1_000_000, spaces)


def test_a_server_with_keys_is_never_taken_for_a_throwaway_one(environment: Environment) -> None:
    _backup(environment)
    with _throwaway() as (folder, throwaway):
        _client(throwaway, 5).set("of a user", 1)
        answer = _verify(environment, folder)
        left = _sizes(throwaway)

    assert answer.code == 2
    assert "holds keys: a throwaway server is empty" in answer.json["error"]
    assert left == {5: 1}
