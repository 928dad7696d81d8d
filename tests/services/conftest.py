"""One server of each kind for all tests of a worker. A test that kills or reconfigures a server starts its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.services import ops_environment, servers
from tests.services.servers import Server

# At once, and with a folder for its file that a test may change.
_REDIS = ("--repl-diskless-sync-delay", "0", "--enable-protected-configs", "yes")


@pytest.fixture(scope="session")
def worker_postgres() -> Iterator[Server]:
    with ops_environment.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def worker_s3() -> Iterator[Server]:
    with servers.s3() as server:
        yield server


@pytest.fixture(scope="session")
def worker_redis() -> Iterator[Server]:
    with servers.redis(*_REDIS) as server:
        yield server


@pytest.fixture(scope="module")
def postgres(worker_postgres: Server) -> Server:
    """PostgreSQL as after its start: no database, no role."""
    ops_environment.empty_postgres(worker_postgres)
    return worker_postgres


@pytest.fixture(scope="module")
def s3(worker_s3: Server) -> Server:
    """An S3 endpoint without any bucket."""
    servers.empty_s3(worker_s3)
    return worker_s3


@pytest.fixture(scope="module")
def redis_server(worker_redis: Server) -> Server:
    """Redis without any key, function or count."""
    client: Any = redis.Redis(worker_redis.host, worker_redis.port)
    client.flushall()
    client.function_flush()
    client.script_flush()
    client.config_resetstat()
    client.close()
    return worker_redis
