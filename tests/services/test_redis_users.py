"""The users of Redis on a real server with the file that its pod writes: each does its work and no more."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from redis.exceptions import NoPermissionError

from runbook import redis_page, redis_users
from runbook.redis_users import RedisUser
from tests.program import engine, look
from tests.services import ops_environment, servers
from tests.services.ops_environment import Environment
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed"),
]
# As an editor and a generator leave passwords behind: with what a shell or sed might read.
_PASSWORDS: Final = {user.key: f"{user.key} $(id) & 'p/w' \\1" for user in redis_users.ALL}
_REFUSED: Final = {
    "services": (
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG GET *",
        "ACL LIST",
        "SWAPDB 0 1",
        "KEYS *",
        "SHUTDOWN",
        "FUNCTION FLUSH",
        "SCRIPT FLUSH",
    ),
    "backup": ("GET k", "SET k 1", "FLUSHALL", "CONFIG SET maxmemory 1", "ACL SETUSER me on", "DEL k"),
    "operator": ("CONFIG SET maxmemory 1", "ACL SETUSER me on +@all", "SHUTDOWN", "FLUSHALL", "REPLICAOF h 1"),
    "monitoring": (
        "GET k",
        "SET k 1",
        "DUMP k",
        "PSYNC ? -1",
        "ACL LIST",
        "CONFIG SET maxmemory 1",
        "CLIENT KILL TYPE x",
    ),
}


@dataclass(frozen=True)
class Place:
    """A server with the users of the file, and ``ops`` with a bucket."""

    server: Server
    environment: Environment

    def client(self, user: RedisUser) -> Any:
        return redis.Redis(
            self.server.host, self.server.port, username=user.name, password=_PASSWORDS[user.key], protocol=2
        )


def _write(folder: Path, passwords: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command of the container that writes the file of users; a user without a password lacks its key."""
    stack = engine.declared("prod")
    pod = look.named(stack, "StatefulSet", "redis")["spec"]["template"]["spec"]
    (writer,) = pod["initContainers"]
    *start, script = writer["command"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    # The longest first: one folder's name begins like another's.
    for mount in sorted(writer["volumeMounts"], key=lambda mount: -len(mount["mountPath"])):
        place = folder / mount["name"]
        place.mkdir()
        script = script.replace(mount["mountPath"], str(place))
        if "configMap" in volumes[mount["name"]]:
            name = volumes[mount["name"]]["configMap"]["name"]
            for file, text in look.named(stack, "ConfigMap", name)["data"].items():
                (place / file).write_text(text)
        elif mount["name"] in passwords:
            (place / "password").write_text(f"{passwords[mount['name']]}\n")
    return subprocess.run([*start, script], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("given", ["", None])
@pytest.mark.parametrize("key", [user.key for user in redis_users.ALL])
def test_a_secret_without_a_password_is_named_and_no_user_is_let_in_without_one(
    tmp_path: Path, key: str, given: str | None
) -> None:
    passwords = {name: password for name, password in {**_PASSWORDS, key: given}.items() if password is not None}

    done = _write(tmp_path, passwords)

    assert done.returncode != 0
    assert f"{key}/password" in done.stderr
    assert list((tmp_path / "users").iterdir()) == []


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("pod")
    written = _write(folder, _PASSWORDS)
    assert written.returncode == 0, written.stderr
    (file,) = (folder / "users").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    with (
        ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment,
        servers.redis("--aclfile", str(file), "--repl-diskless-sync-delay", "0") as server,
    ):
        _tell(environment, server, {user.key: (user.name, _PASSWORDS[user.key]) for user in redis_users.ALL})
        yield Place(server, environment)


def _tell(environment: Environment, server: Server, logins: dict[str, tuple[str, str]]) -> None:
    """Have ``ops`` log in to ``server``, for its two kinds of work."""
    told: dict[str, Any] = {"host": server.host, "port": server.port}
    for setting, key in (("login", "backup"), ("operator", "operator")):
        name, password = logins[key]
        file = environment.folder / f"redis-{key}"
        file.write_text(f"{password}\n")
        told[setting] = {"user": name, "passwordFile": str(file)}
    environment.configure(redis=told)


@pytest.fixture
def filled(place: Place) -> Place:
    client = place.client(redis_users.SERVICES)
    client.set("k", "v")
    client.hset("h", mapping={"a": 1})
    client.zadd("z", {"a": 1})
    place.client(redis_users.OPERATOR).function_load(
        "#!lua name=mine\nredis.register_function('mine', function() return 1 end)", replace=True
    )
    return place


def test_who_does_not_log_in_may_ask_whether_the_server_is_there_and_no_more(place: Place) -> None:
    client: Any = redis.Redis(place.server.host, place.server.port, protocol=2)
    assert client.ping() is True
    for command in ("GET k", "INFO", "SET k 1", "CLIENT LIST", "CONFIG GET *"):
        with pytest.raises(NoPermissionError):
            client.execute_command(*command.split())


@pytest.mark.parametrize(
    ("key", "command"), [(key, command) for key, commands in _REFUSED.items() for command in commands]
)
def test_a_user_is_refused_what_it_is_not_for(filled: Place, key: str, command: str) -> None:
    (user,) = (user for user in redis_users.ALL if user.key == key)
    with pytest.raises(NoPermissionError):
        filled.client(user).execute_command(*command.split())
    assert filled.client(redis_users.SERVICES).get("k") == b"v"


def test_the_services_use_keys_transactions_scripts_and_channels(filled: Place) -> None:
    client = filled.client(redis_users.SERVICES)
    with client.pipeline(transaction=True) as pipe:
        pipe.incr("n").expire("n", 60).lpush("l", 1).xadd("x", {"a": 1})
        pipe.execute()
    assert client.eval("return redis.call('GET', KEYS[1])", 1, "k") == b"v"
    assert client.publish("c", "m") == 0
    assert client.fcall("mine", 0) == 1
    assert list(client.scan_iter("k")) == [b"k"]
    assert "used_memory" in client.info("memory")


def test_the_exporter_asks_what_its_metrics_are_made_of(filled: Place) -> None:
    client = filled.client(redis_users.MONITORING)
    client.client_setname("redis_exporter")
    assert client.info("all")["redis_version"]
    assert "maxmemory" in client.config_get("maxmemory")
    assert client.slowlog_len() >= 0
    assert client.execute_command("LATENCY LATEST") is not None
    assert client.client_list()


def _carried(environment: Environment) -> None:
    """Save, empty, look and bring back, by the commands of ``ops``."""
    saved = environment.ops("backup", "redis", "--json")
    assert saved.code == 0, saved.stderr
    assert environment.ops("redis", "bigkeys", "--json").json["keys"] == 3
    purged = environment.ops("redis", "purge", "*", "--all", "--json")
    assert (purged.code, purged.json["removed"]) == (0, 3), purged.stderr
    restored = environment.ops("restore", "redis", "--id", saved.json["id"], "--yes", "--json")
    assert restored.code == 0, restored.stderr
    assert (restored.json["keys"], restored.json["functions"]) == (3, 1)
    assert "warning" not in restored.stderr


def test_ops_saves_as_one_user_and_looks_removes_and_restores_as_another(filled: Place) -> None:
    for key in filled.client(redis_users.SERVICES).scan_iter():
        if key not in (b"k", b"h", b"z"):
            filled.client(redis_users.SERVICES).delete(key)

    _carried(filled.environment)

    health = filled.environment.ops("health", "--json").json["checks"]
    assert next(check for check in health if check["name"] == "redis")["status"] == "ok"


def test_on_a_server_outside_the_rules_of_the_page_are_enough_for_all_of_them(filled: Place) -> None:
    (rule,) = (line for line in redis_page.markdown().splitlines() if line.startswith("ACL SETUSER"))
    with servers.redis("--repl-diskless-sync-delay", "0") as server:
        admin: Any = redis.Redis(server.host, server.port)
        admin.execute_command(*rule.replace("PASSWORD", "word").split())
        for name, value in {"a": 1, "b": 2, "c": 3}.items():
            admin.set(name, value)
        admin.function_load("#!lua name=mine\nredis.register_function('mine', function() return 1 end)")
        _tell(filled.environment, server, dict.fromkeys(("backup", "operator"), ("crypto", "word")))
        try:
            _carried(filled.environment)
            client: Any = redis.Redis(server.host, server.port, username="crypto", password="word", protocol=2)
            for command in ("FLUSHALL", "CONFIG SET maxmemory 1", "ACL SETUSER me on", "SHUTDOWN", "KEYS *"):
                with pytest.raises(NoPermissionError):
                    client.execute_command(*command.split())
        finally:
            logins = {user.key: (user.name, _PASSWORDS[user.key]) for user in redis_users.ALL}
            _tell(filled.environment, filled.server, logins)
