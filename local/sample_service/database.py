"""PostgreSQL through PgBouncer: a small pool with the four settings of the runbook."""

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


@dataclass
class _Idle:
    connection: Connection
    opened: float


def connect(config: DatabaseConfig, application: str) -> Connection:
    """A session of its own.

    Raises:
        DependencyError: the login is refused, or the server does not answer.
    """
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
            application_name=application,
            # PgBouncer hands out a server connection per transaction: nothing may be prepared on one.
            prepare_threshold=None,
        )
    except (OSError, psycopg.OperationalError) as error:
        raise DependencyError("database", first_line(error)) from error


class Database:
    """Connections on demand: up to `pool_size` are kept, `max_overflow` more are closed when given back."""

    def __init__(self, config: DatabaseConfig, service: str, registry: CollectorRegistry) -> None:
        self._config = config
        self._service = service
        self._idle: list[_Idle] = []
        self._used = 0
        self._held: list[tuple[Connection, float]] = []
        self._changed = threading.Condition()
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
        """One round trip.

        Raises:
            DependencyError: the database cannot be used.
        """
        with self.transaction() as connection:
            connection.execute("SELECT 1")

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
        return connect(self._config, self._service)

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
