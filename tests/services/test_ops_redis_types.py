"""Whatever Redis holds comes back on another server: the servers themselves say that both are equal."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services import ops_environment, servers
from tests.services.ops_environment import Environment
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed"),
]

_OPTIONS = ("--repl-diskless-sync-delay", "0", "--enable-debug-command", "local")
_LIBRARY = "#!lua name={0}\nredis.register_function('{0}', function() return '{1}' end)"
_FUTURE = 4_000_000_000_000

Command: TypeAlias = tuple[Any, ...]
Sample: TypeAlias = list[tuple[int, list[Command]]]


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server
) -> Iterator[tuple[Environment, Server, Server]]:
    """The environment, a server that is saved, and another one into which its backup is restored."""
    with (
        ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment,
        servers.redis(*_OPTIONS) as source,
        servers.redis(*_OPTIONS) as target,
    ):
        yield environment, source, target


def _client(server: Server, database: int = 0) -> Any:
    return redis.Redis(server.host, server.port, db=database)


def _fill(server: Server, sample: Sample) -> None:
    client = _client(server)
    client.flushall()
    client.function_flush()
    for database, commands in sample:
        with _client(server, database).pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            # A command on a key of another type is refused: that is no part of the sample.
            pipeline.execute(raise_on_error=False)


def _state(server: Server) -> tuple[Any, ...]:
    """What must be equal: the server's digest, which knows neither groups of streams nor when a key expires."""
    client = _client(server)
    expiries: dict[tuple[int, bytes], int] = {}
    streams: dict[tuple[int, bytes], bytes] = {}
    for name in client.info("keyspace"):
        database = int(name[2:])
        own = _client(server, database)
        for key in own.scan_iter(count=1000):
            expiries[database, key] = own.execute_command("PEXPIRETIME", key)
            if own.type(key) == b"stream":
                streams[database, key] = own.dump(key)
    # In the order of a table, which is each server's own.
    libraries = sorted(client.function_list(withcode=True), key=lambda library: library[1])
    return client.execute_command("DEBUG DIGEST"), expiries, streams, libraries


def _comes_back(place: tuple[Environment, Server, Server], sample: Sample) -> None:
    environment, source, target = place
    _fill(source, sample)
    _fill(target, [(1, [("SET", "of the target", 1)]), (0, [("FUNCTION LOAD", _LIBRARY.format("stranger", 0))])])
    before = _state(source)
    for server, command in (
        (source, ("backup", "redis")),
        (source, ("backups", "verify", "--kind", "redis")),
        (target, ("restore", "redis", "--yes")),
    ):
        environment.configure(redis={"host": server.host, "port": server.port})
        answer = environment.ops(*command, "--json")
        assert answer.code == 0, answer.stderr
    assert _state(target) == before
    assert _state(source) == before


def _every_type() -> Sample:
    """Each type in each encoding that the server has for it, small and large."""
    dice = random.Random(7)  # noqa: S311 - not a secret
    long = [f"member {number} " + "x" * 80 for number in range(700)]
    first: list[Command] = [
        ("SET", "integer", -9223372036854775808),
        ("SET", "short", "value"),
        ("SET", "packed", "abcd" * 50_000),
        ("SET", "random", dice.randbytes(100_000)),
        ("SET", "large", dice.randbytes(3_000_000)),
        ("SET", "empty", ""),
        ("SET", "", "without a name"),
        ("SET", b"\x00\xff\r\n odd \xc3(", b"\x00\xff"),
        ("SET", "n" * 100_000, 1),
        ("SET", "expires", 1, "PXAT", _FUTURE),
        ("RPUSH", "list", *range(10)),
        ("RPUSH", "long list", *long),
        ("RPUSH", "list of large", *("y" * 20_000 for _ in range(20))),
        ("SADD", "integers", 1, -2, 2**40),
        ("SADD", "many integers", *range(1000)),
        ("SADD", "set", "a", "b"),
        ("SADD", "large set", *long),
        ("ZADD", "zset", "-inf", "a", "+inf", "b", "1.5", "c", "-0.1", "d"),
        ("ZADD", "large zset", *(part for number, name in enumerate(long) for part in (number / 7, name))),
        ("HSET", "hash", "a", 1, "", ""),
        ("HSET", "large hash", *(part for name in long for part in (name, name))),
        ("PFADD", "sparse", "a", "b", "c"),
        ("PFADD", "dense", *range(20_000)),
        ("GEOADD", "places", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"),
        ("SETBIT", "bits", 100_000, 1),
        ("BITFIELD", "field", "SET", "u8", "#1", 200),
        ("PEXPIREAT", "large hash", _FUTURE + 1),
    ]
    stream: list[Command] = [("XADD", "stream", f"{number}-1", "field", number) for number in range(1, 300)]
    stream += [
        ("XGROUP", "CREATE", "stream", "group", 0),
        ("XGROUP", "CREATE", "stream", "behind", 7),
        ("XGROUP", "CREATECONSUMER", "stream", "behind", "idle"),
        ("XREADGROUP", "GROUP", "group", "first", "COUNT", 20, "STREAMS", "stream", ">"),
        ("XREADGROUP", "GROUP", "group", "second", "COUNT", 20, "STREAMS", "stream", ">"),
        ("XACK", "stream", "group", "3-1"),
        ("XDEL", "stream", "5-1", "299-1"),
        ("XTRIM", "stream", "MAXLEN", 250),
        ("XADD", "emptied", "1-1", "a", "b"),
        ("XDEL", "emptied", "1-1"),
        ("PEXPIREAT", "emptied", _FUTURE),
    ]
    libraries: list[Command] = [("FUNCTION LOAD", _LIBRARY.format(name, "ö")) for name in ("one", "two")]
    return [(0, first), (3, stream), (13, [("SET", "a", 1)]), (0, libraries)]


def test_every_type_comes_back_on_another_server_as_the_servers_themselves_compare(
    place: tuple[Environment, Server, Server],
) -> None:
    _comes_back(place, _every_type())


_NAMES = st.sampled_from(["a", "b", "c", "d", "e"]) | st.binary(max_size=20)
_TEXTS = st.one_of(
    st.binary(max_size=40),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.integers(1, 3000).map(lambda count: b"ab" * count),
    st.integers(1, 20_000).map(os.urandom),
)
_FEW = st.lists(_TEXTS, min_size=1, max_size=8)
_MANY = _FEW | st.integers(100, 700).map(lambda count: [f"member {number}" for number in range(count)])
_SCORES = st.floats(allow_nan=False).map(repr) | st.integers(-(2**60), 2**60).map(str)


def _pairs(values: st.SearchStrategy[Any], others: st.SearchStrategy[Any]) -> st.SearchStrategy[Command]:
    return st.lists(st.tuples(values, others), min_size=1, max_size=8).map(
        lambda pairs: tuple(part for pair in pairs for part in pair)
    )


_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.tuples(st.just("SET"), _NAMES, _TEXTS),
    st.tuples(st.just("SETBIT"), _NAMES, st.integers(0, 50_000), st.integers(0, 1)),
    st.tuples(st.just("PEXPIREAT"), _NAMES, st.integers(_FUTURE, 2 * _FUTURE)),
    st.tuples(st.sampled_from(["RPUSH", "SADD", "PFADD"]), _NAMES, _MANY).map(lambda one: (*one[:2], *one[2])),
    st.tuples(st.just("SADD"), _NAMES, st.lists(st.integers(-(2**62), 2**62), min_size=1)).map(
        lambda one: (*one[:2], *one[2])
    ),
    st.tuples(st.just("ZADD"), _NAMES, _pairs(_SCORES, _TEXTS)).map(lambda one: (*one[:2], *one[2])),
    st.tuples(st.just("HSET"), _NAMES, _pairs(_TEXTS, _TEXTS)).map(lambda one: (*one[:2], *one[2])),
    st.tuples(
        st.just("GEOADD"), _NAMES, st.floats(-180, 180), st.floats(-85, 85), _TEXTS
    ),
    st.tuples(st.just("XADD"), _NAMES, st.just("*"), _pairs(_TEXTS, _TEXTS)).map(lambda one: (*one[:3], *one[3])),
    st.tuples(
        st.just("XGROUP"), st.just("CREATE"), _NAMES, st.just("g") | _TEXTS, st.sampled_from(["0", "$"])
    ),
    _NAMES.map(lambda name: ("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", name, ">")),
    st.tuples(st.just("DEL"), _NAMES),
)  # fmt: skip
_SAMPLES = st.lists(st.tuples(st.integers(0, 4), st.lists(_COMMANDS, min_size=1, max_size=60)), min_size=1, max_size=5)


@settings(
    max_examples=max(3, settings().max_examples // 40),
    # The same each time but in `make oracles`.
    derandomize=settings().max_examples <= 100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(_SAMPLES)
def test_generated_keys_come_back_on_another_server_as_the_servers_themselves_compare(
    place: tuple[Environment, Server, Server], sample: Sample
) -> None:
    place[0].reset()
    _comes_back(place, sample)
