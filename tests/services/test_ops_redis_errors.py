"""What a real Redis refuses, and the exit code that each refusal decides."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from runbook.ops_settings import Login, RedisTarget
from scripts.clients import redis_server, replication
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError
from tests.running.owned import owned_folder
from tests.running.slots import free_port
from tests.services import servers
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed")
_PASSWORD = "correct hörse\tbattery"


@dataclass(frozen=True)
class Case:
    """A server's options, what is done to it, the command that it refuses, and how that is taken.

    ``before`` is said on the same connection.
    """

    code: str
    expected: type[OpsError]
    command: tuple[str, ...]
    options: tuple[str, ...] = ()
    prepare: Callable[[Any], object] = lambda _: None
    before: tuple[str, ...] = ()


def _fill(client: Any) -> None:
    client.set("large", "x" * 2_000_000)
    client.config_set("maxmemory", "1mb")


def _fail_a_snapshot(client: Any) -> None:
    client.config_set("save", "1 1")
    client.config_set("dbfilename", "folder")
    Path(client.config_get("dir")["dir"], "folder").mkdir()
    client.set("changed", 1)
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the snapshot has failed")


def _run_a_long_script(client: Any) -> None:
    def run() -> None:
        with suppress(redis.RedisError):
            client.eval("while true do end", 0)

    client.config_set("busy-reply-threshold", 1)
    threading.Thread(target=run, daemon=True).start()


def _give_all_slots(client: Any) -> None:
    client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok", "the node serves its slots")


_CASES = [
    Case("OOM", TemporaryError, ("SET", "a", "b"), prepare=_fill),
    Case("MISCONF", TemporaryError, ("SET", "a", "b"), ("--enable-protected-configs", "yes"), _fail_a_snapshot),
    Case("NOREPLICAS", TemporaryError, ("SET", "a", "b"), ("--min-replicas-to-write", "1")),
    Case("READONLY", UsageError, ("SET", "a", "b"), ("--replicaof", "127.0.0.1 1")),
    Case(
        "MASTERDOWN", TemporaryError, ("GET", "a"),
        ("--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"),
    ),
    Case("CLUSTERDOWN", TemporaryError, ("GET", "a"), ("--cluster-enabled", "yes")),
    Case("unknown command", UsageError, ("FLUSHALL",), ("--rename-command", "FLUSHALL", "")),
    Case("CROSSSLOT", UsageError, ("MGET", "a", "b"), ("--cluster-enabled", "yes"), prepare=_give_all_slots),
    Case("SELECT is not allowed", UsageError, ("SELECT", "1"), ("--cluster-enabled", "yes")),
    Case("WRONGTYPE", CheckFailedError, ("LPUSH", "text", "x"), prepare=lambda client: client.set("text", "x")),
]  # fmt: skip


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.code)
def test_an_error_of_the_server_decides_the_exit_code(case: Case) -> None:
    with servers.redis(*case.options) as server:
        case.prepare(redis.Redis(server.host, server.port))
        _refused(_target(server), case)


def test_a_server_whose_script_runs_on_is_asked_again_later() -> None:
    with servers.redis() as server:
        client: Any = redis.Redis(server.host, server.port)
        _run_a_long_script(client)
        case = Case("BUSY", TemporaryError, ("GET", "a"))
        wait_until(lambda: _error(_target(server), case.command) is not None, "the script is at work")
        _refused(_target(server), case)
        redis.Redis(server.host, server.port).script_kill()  # pyright: ignore[reportUnknownMemberType] - no exact types


def test_a_server_without_a_free_connection_is_asked_again_later() -> None:
    with servers.redis("--maxclients", "1") as server:
        client: Any = redis.Redis(server.host, server.port)
        client.ping()
        _refused(_target(server), Case("max number of clients", TemporaryError, ("GET", "a")))


def test_a_server_that_still_loads_is_asked_again_later() -> None:
    with owned_folder() as folder:
        with servers.redis("--dir", str(folder), "--save", "3600 1") as server:
            client: Any = redis.Redis(server.host, server.port)
            client.mset({f"key:{number}": number for number in range(2000)})
            client.save()
        # A millisecond for each key: it answers meanwhile that it loads.
        with servers.redis(
            "--dir", str(folder), "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"
        ) as server:
            _refused(_target(server), Case("loading", TemporaryError, ("GET", "a")))


def test_a_server_in_protected_mode_is_a_mistake_told_in_one_line_with_what_to_do() -> None:
    # A datagram's socket sends nothing when it connects, and knows the address from which it would.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))
        here = asked.getsockname()[0]
    with servers.redis("--bind", "0.0.0.0", "--protected-mode", "yes") as server:
        target = RedisTarget(host=here, port=server.port)
        _refused(target, Case("DENIED", UsageError, ("GET", "a")))
        with (
            pytest.raises(UsageError, match=r"protected mode.*; give the server a password"),
            replication.snapshot(target),
        ):
            pass


def test_a_slot_that_moves_with_a_part_of_its_keys_is_asked_again_later() -> None:
    buses = [free_port(), free_port()]
    nodes = [servers.redis("--cluster-enabled", "yes", "--cluster-port", str(bus)) for bus in buses]
    with nodes[0] as source, nodes[1] as target:
        giver: Any = redis.Redis(source.host, source.port)
        taker: Any = redis.Redis(target.host, target.port)
        _give_all_slots(giver)
        taker.execute_command("CLUSTER MEET", source.host, source.port, buses[0])
        wait_until(lambda: taker.cluster("INFO")["cluster_state"] == "ok", "the node knows whose the slots are")
        _refused(_target(target), Case("MOVED", UsageError, ("GET", "{a}1")))
        slot, owner = giver.execute_command("CLUSTER KEYSLOT", "{a}1"), giver.execute_command("CLUSTER MYID")
        taker.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", owner)
        taker.execute_command("ASKING")
        taker.set("{a}1", "is here already")
        _refused(_target(target), Case("TRYAGAIN", TemporaryError, ("MGET", "{a}1", "{a}2"), before=("ASKING",)))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server with an ACL user ``ops`` that may do all but write, and the folder of its password's file."""
    folder = tmp_path_factory.mktemp("acl")
    (folder / "password").write_text(f"{_PASSWORD}\n")
    (folder / "wrong").write_text("wrong\n")
    with servers.redis() as server:
        client: Any = redis.Redis(server.host, server.port)
        client.acl_setuser(
            "ops", enabled=True, passwords=[f"+{_PASSWORD}"], categories=["+@all", "-@write"], keys=["*"]
        )
        client.config_set("requirepass", "of the default user")
        yield server, folder


def _target(server: Server, **more: Any) -> RedisTarget:
    return RedisTarget(host=server.host, port=server.port, **more)


def _login(folder: Path, name: str) -> Login:
    return Login(user="ops", password_file=str(folder / name))


def _error(target: RedisTarget, *commands: tuple[str, ...]) -> OpsError | None:
    try:
        with redis_server.connect(target, seconds=5) as client:
            for command in commands:
                client.execute_command(*command)  # pyright: ignore[reportUnknownMemberType] - no exact types
    except OpsError as error:
        return error
    return None


def _refused(target: RedisTarget, case: Case) -> None:
    error = _error(target, *filter(None, (case.before, case.command)))
    assert type(error) is case.expected, error
    assert str(error).startswith(f"Redis at {redis_server.address(target)}: ")
    assert "\n" not in str(error)


def test_an_acl_user_of_the_settings_is_logged_in_and_its_missing_rights_are_a_mistake(
    guarded: tuple[Server, Path],
) -> None:
    server, folder = guarded
    target = _target(server, login=_login(folder, "password"))
    with redis_server.connect(target) as client:
        assert redis_server.info(client, "server")["redis_version"]
    _refused(target, Case("NOPERM", UsageError, ("SET", "a", "b")))
    _refused(_target(server, login=_login(folder, "wrong")), Case("WRONGPASS", UsageError, ("GET", "a")))
    _refused(_target(server), Case("NOAUTH", UsageError, ("GET", "a")))


def test_a_snapshot_is_taken_as_an_acl_user_and_refused_without(guarded: tuple[Server, Path]) -> None:
    server, folder = guarded
    with replication.snapshot(_target(server, login=_login(folder, "password"))) as chunks:
        assert b"".join(chunks).startswith(b"REDIS")
    for more in ({}, {"login": _login(folder, "wrong")}):
        with pytest.raises(UsageError), replication.snapshot(_target(server, **more)):
            pass


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_a_mistake(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_text(content)
    target = RedisTarget(host="127.0.0.1", port=free_port(), tls=True, ca_file=str(file))
    for asked in (redis_server.connect, replication.snapshot):
        with pytest.raises(UsageError, match=r"redis\.caFile is .*ca\.crt"), asked(target):
            pass


def test_a_server_that_wants_a_certificate_of_its_client_is_a_mistake(tmp_path: Path) -> None:
    # By TLS 1.3 the connection may be lost before its end tells why: there the handshake is over for the client first.
    options = ("--tls-auth-clients", "yes", "--tls-protocols", "TLSv1.2")
    with servers.encrypted_redis(tmp_path, *options) as (_, port, authority):
        target = RedisTarget(host="127.0.0.1", port=port, tls=True, ca_file=str(authority))
        _refused(target, Case("certificate", UsageError, ("GET", "a")))
        with pytest.raises(UsageError, match=r"(?i)certificate"), replication.snapshot(target):
            pass


def test_tls_is_checked_against_the_authority_of_the_settings(tmp_path: Path) -> None:
    with servers.encrypted_redis(tmp_path) as (_, port, authority):
        trusted = RedisTarget(host="127.0.0.1", port=port, tls=True, ca_file=str(authority))
        with redis_server.connect(trusted) as client:
            assert redis_server.info(client, "server")["redis_version"]
        with replication.snapshot(trusted) as chunks:
            assert b"".join(chunks).startswith(b"REDIS")
        stranger = trusted.model_copy(update={"ca_file": None})
        _refused(stranger, Case("certificate", UsageError, ("GET", "a")))
        with pytest.raises(UsageError, match=r"certificate.*caFile"), replication.snapshot(stranger):
            pass
