"""``ops redis purge`` and ``ops redis bigkeys`` against a real Redis."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.running import slots
from tests.services import ops_environment, servers
from tests.services.ops_environment import Environment, finish
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no Redis server is installed"),
]


@pytest.fixture
def client(redis_server: Server) -> Iterator[Any]:
    connection: Any = redis.Redis(redis_server.host, redis_server.port)
    connection.flushall()
    connection.config_resetstat()
    yield connection
    connection.close()


@pytest.fixture
def environment(redis_server: Server, tmp_path: Path) -> Environment:
    return ops_environment.without_servers(tmp_path, redis={"host": redis_server.host, "port": redis_server.port})


def _fill(client: Any, count: int) -> None:
    for start in range(0, count, 10_000):
        client.mset({f"price:{number}:old": "x" * 20 for number in range(start, min(count, start + 10_000))})


def test_matching_keys_are_removed_and_the_others_stay(environment: Environment, client: Any) -> None:
    _fill(client, 1200)
    client.mset({"price:1:new": "1", "session:1": "2", "price:*:old": "a star in its name"})

    answer = environment.ops("redis", "purge", "price:*:old", "--json")

    assert answer.code == 0, answer.stderr
    assert answer.json["removed"] == 1201
    assert set(client.keys("*")) == {b"price:1:new", b"session:1"}


def test_a_second_run_and_an_empty_database_are_no_error(environment: Environment, client: Any) -> None:
    assert client.dbsize() == 0

    answer = environment.ops("redis", "purge", "price:*:old", "--json")

    assert (answer.code, answer.json["matched"], answer.json["removed"]) == (0, 0, 0)


def test_a_dry_run_counts_and_removes_nothing(environment: Environment, client: Any) -> None:
    _fill(client, 1200)

    answer = environment.ops("redis", "purge", "price:*:old", "--dry-run", "--json")
    people = environment.ops("redis", "purge", "price:*:old", "--dry-run")

    assert (answer.code, answer.json["removed"]) == (0, 0)
    # SCAN may meet a key twice while its table is resized.
    assert 1200 <= answer.json["matched"] <= 1300
    assert "Would remove about 1,2" in people.stdout
    assert "such as price:" in people.stdout
    assert client.dbsize() == 1200


@pytest.mark.parametrize("pattern", ["*", "**", "?*", "[a-z]*", "[^x]*", ""])
def test_a_pattern_that_may_match_every_key_is_refused(environment: Environment, client: Any, pattern: str) -> None:
    client.set("price:1", "1")

    answer = environment.ops("redis", "purge", pattern, "--json")

    assert answer.code == 2
    assert "such as 'price:*:old'" in answer.error
    assert client.dbsize() == 1


def test_everything_is_removed_where_that_is_said(environment: Environment, client: Any) -> None:
    _fill(client, 700)

    answer = environment.ops("redis", "purge", "*", "--all", "--json")

    assert (answer.code, answer.json["removed"]) == (0, 700)
    assert client.dbsize() == 0


def test_purging_100000_keys_holds_up_nobody(environment: Environment, client: Any, redis_server: Server) -> None:
    _fill(client, 100_000)
    client.config_resetstat()
    waits: list[float] = []
    running = environment.start("redis", "purge", "price:*:old", "--json")
    other: Any = redis.Redis(redis_server.host, redis_server.port)

    def ping() -> None:
        while running.poll() is None:
            start = time.perf_counter()
            other.ping()
            waits.append(time.perf_counter() - start)

    pinger = threading.Thread(target=ping)
    pinger.start()
    answer = finish(running)
    pinger.join(30)
    other.close()
    used = client.info("commandstats")

    assert (answer.code, answer.json["removed"]) == (0, 100_000)
    # As Redis itself measures it: commands are short, and none is of the kind that grows with the keys.
    assert used["cmdstat_unlink"]["calls"] >= 100
    assert all(counted["usec_per_call"] < 20_000 for counted in used.values())
    assert not {"cmdstat_keys", "cmdstat_del", "cmdstat_eval", "cmdstat_flushdb", "cmdstat_flushall"} & set(used)
    # And as another client feels it, as far as the machine's own load lets it.
    assert len(waits) > 100
    assert sorted(waits)[len(waits) // 2] < 0.1


def test_the_largest_keys_are_shown_by_type(environment: Environment, client: Any) -> None:
    _fill(client, 1500)
    client.set("big", "x" * 100_000)
    client.hset("table", mapping={f"field {number}": "y" * 50 for number in range(2000)})
    client.rpush("short", "1")
    client.rpush("long", *range(5000))

    answer = environment.ops("redis", "bigkeys", "--top", "2", "--json")
    people = environment.ops("redis", "bigkeys", "--top", "2")

    types = answer.json["types"]
    assert answer.code == 0
    assert answer.json["keys"] == sum(kind["keys"] for kind in types.values()) >= 1504
    assert types["string"]["largest"][0]["key"] == "big"
    assert types["string"]["largest"][0]["bytes"] > 100_000
    assert len(types["string"]["largest"]) == 2
    assert [found["key"] for found in types["list"]["largest"]] == ["long", "short"]
    assert types["hash"]["largest"][0]["bytes"] > 2000 * 50
    assert any(line.endswith(" big") for line in people.stdout.splitlines())


def test_looking_for_large_keys_changes_nothing(environment: Environment, client: Any) -> None:
    _fill(client, 100)
    client.config_resetstat()

    environment.ops("redis", "bigkeys", "--json")

    used = {name for name in client.info("commandstats") if name.startswith("cmdstat_")}
    allowed = {"scan", "type", "memory|usage", "info", "client|setname", "client|setinfo", "hello", "config|resetstat"}
    assert "cmdstat_scan" in used
    assert used <= {f"cmdstat_{name}" for name in allowed}


def test_a_server_that_is_gone_or_full_of_distrust_is_told_in_one_line(tmp_path: Path) -> None:
    gone = ops_environment.without_servers(tmp_path, redis={"host": "127.0.0.1", "port": slots.free_port()})
    refused = gone.ops("redis", "purge", "a*", "--json")
    with servers.redis("--requirepass", "a secret") as closed:
        gone.configure(redis={"host": closed.host, "port": closed.port})
        distrusted = gone.ops("redis", "bigkeys", "--json")

    assert (refused.code, distrusted.code) == (75, 2)
    assert "refused" in refused.error.lower()
    assert "authentication" in distrusted.error.lower()


def test_a_replica_is_refused_as_a_mistake_in_the_settings(
    environment: Environment, redis_server: Server, client: Any
) -> None:
    with servers.redis("--replicaof", redis_server.host, str(redis_server.port)) as replica:
        follower: Any = redis.Redis(replica.host, replica.port)
        client.set("price:1:old", "1")
        wait_until(lambda: follower.dbsize() == 1, "the replica follows")
        environment.configure(redis={"host": replica.host, "port": replica.port})
        answer = environment.ops("redis", "purge", "price:*:old", "--json")
        follower.close()

    assert answer.code == 2
    assert "name the primary" in answer.error
