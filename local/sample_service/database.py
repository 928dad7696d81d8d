"""PostgreSQL through PgBouncer: a small pool with the four settings of the runbook, and the schema."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge

from .config import DatabaseConfig
from .errors import DependencyError, first_line

Connection = psycopg.Connection[tuple[Any, ...]]

_CONNECT_SECONDS: Final = 3
_SCHEMA_LOCK: Final = 7_300_515
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS users (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE IF NOT EXISTS prices (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        coin_id text NOT NULL,
        price numeric(20, 8) NOT NULL CHECK (price > 0),
        timestamp timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE IF NOT EXISTS sentiment (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        coin_id text NOT NULL,
        score double precision NOT NULL CHECK (score BETWEEN -1 AND 1),
        text text NOT NULL,
        timestamp timestamptz NOT NULL DEFAULT now())""",
)


@dataclass
class _Idle:
    connection: Connection
    opened: float


class Database:
    """Connections on demand: up to `pool_size` are kept, `max_overflow` more are closed when given back."""

    def __init__(self, config: DatabaseConfig, service: str, registry: CollectorRegistry) -> None:
        self._config = config
        self._service = service
        self._idle: list[_Idle] = []
        self._used = 0
        self._held: list[tuple[Connection, float]] = []
        self._changed = threading.Condition()
        self._schema_ready = False
        limit = config.pool_size + config.max_overflow
        used = Gauge("db_pool_used_connections", "Connections in use.", registry=registry)
        used.set_function(lambda: self._used)
        idle = Gauge("db_pool_idle_connections", "Connections kept open.", registry=registry)
        idle.set_function(lambda: len(self._idle))
        Gauge("db_pool_max_connections", "Pool size and overflow together.", registry=registry).set(limit)
        text = "Requests that got no connection in time."
        self._timeouts = Counter("db_pool_timeouts_total", text, registry=registry)

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A connection whose transaction is committed at the end, rolled back on an error.

        Raises:
            DependencyError: no connection within the pool's timeout, or the server does not answer.
        """
        connection, opened = self._take()
        try:
            with connection.transaction():
                yield connection
        except psycopg.OperationalError as error:
            raise DependencyError("database", first_line(error)) from error
        finally:
            self._give_back(connection, opened)

    def check(self) -> None:
        """One round trip; makes sure of the schema the first time.

        Raises:
            DependencyError: the database cannot be used.
        """
        if not self._schema_ready:
            self.ensure_schema()
        with self.transaction() as connection:
            connection.execute("SELECT 1")

    def ensure_schema(self) -> None:
        """Create what is missing; replicas that start together take turns."""
        with self.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            for statement in _SCHEMA:
                connection.execute(statement)
        self._schema_ready = True

    def hold(self, count: int) -> None:
        """The fault `pool`: keep exactly `count` connections away from everybody else."""
        while len(self._held) > count:
            self._give_back(*self._held.pop())
        while len(self._held) < count:
            self._held.append(self._take())

    def close(self) -> None:
        """Close what is idle."""
        with self._changed:
            while self._idle:
                self._idle.pop().connection.close()

    def _take(self) -> tuple[Connection, float]:
        deadline = time.monotonic() + self._config.pool_timeout
        with self._changed:
            while self._used >= self._config.pool_size + self._config.max_overflow:
                if not self._changed.wait(deadline - time.monotonic()):
                    self._timeouts.inc()
                    raise DependencyError("database", f"no free connection within {self._config.pool_timeout:g} s")
            self._used += 1
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            if not kept.connection.closed and time.monotonic() - kept.opened < self._config.pool_recycle:
                return kept.connection, kept.opened
            kept.connection.close()
        try:
            return self._connect(), time.monotonic()
        except BaseException:
            self._free()
            raise

    def _connect(self) -> Connection:
        config = self._config
        try:
            # Read at each connect: a rotated password is used without a restart.
            password = config.password_file.read_text().strip() if config.password_file else None
            return psycopg.connect(
                host=config.host,
                port=config.port,
                dbname=config.name,
                user=config.user,
                password=password,
                connect_timeout=_CONNECT_SECONDS,
                application_name=self._service,
                # PgBouncer hands out a server connection per transaction: nothing may be prepared on one.
                prepare_threshold=None,
            )
        except (OSError, psycopg.OperationalError) as error:
            raise DependencyError("database", first_line(error)) from error

    def _give_back(self, connection: Connection, opened: float) -> None:
        with self._changed:
            keep = not connection.closed and not connection.broken and len(self._idle) < self._config.pool_size
            if keep:
                self._idle.append(_Idle(connection, opened))
            else:
                connection.close()
        self._free()

    def _free(self) -> None:
        with self._changed:
            self._used -= 1
            self._changed.notify()
