"""One running service: its parts, its common routes and its end."""

from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from .cache import Cache
from .config import Config
from .database import Database
from .faults import Faults
from .health import Health
from .log import Log
from .metrics import registry, resident_bytes
from .server import Request, Response, Router, Server
from .workers import Workers

_END_SECONDS: Final = 5.0
_MEMORY_LOG_SECONDS: Final = 300.0


class App:
    """What the five services share. A service adds its routes, checks and work; then `start`, and in the end `end`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.log = Log(config.service)
        self.metrics = registry()
        self.faults = Faults()
        self.workers = Workers(self.log)
        self.health = Health(config.service, self.metrics)
        self.router = Router()
        self._database: Database | None = None
        self._cache: Cache | None = None
        self._common_routes()
        self.server = Server(
            config.port, self.router, self.metrics, self.log, lambda: self.faults.strike(self.workers.stop)
        )

    def database(self) -> Database:
        """The database, watched from the first call on."""
        if self._database is None:
            self._database = Database(self.config.database, self.config.service, self.metrics)
            self.health.watch("database", self._database.check, self.workers)
        return self._database

    def cache(self) -> Cache:
        """Redis, watched from the first call on."""
        if self._cache is None:
            self._cache = Cache(self.config.redis)
            self.health.watch("redis", self._cache.check, self.workers)
        return self._cache

    def start(self) -> None:
        """Begin to answer and to work."""
        self.workers.every(_MEMORY_LOG_SECONDS, "memory log", self._log_memory)
        self.server.start()
        self.log.info("started", port=self.server.port)

    def end(self) -> bool:
        """Finish what runs and close everything; False when something had to be left."""
        self.health.stopping()
        served = self.server.end(_END_SECONDS)
        worked = self.workers.end(_END_SECONDS)
        if self._database is not None:
            self._database.close()
        if self._cache is not None:
            self._cache.close()
        self.log.info("stopped", clean=served and worked)
        return served and worked

    def _common_routes(self) -> None:
        add = self.router.add
        add("GET", self.config.health_path, self._health, quiet=True)
        add("GET", "/metrics", self._metrics, quiet=True)
        add("GET", "/faults", lambda _request: Response(self.faults.change({})), quiet=True)
        add("POST", "/faults", self._change_faults, quiet=True)
        add("DELETE", "/faults", self._clear_faults, quiet=True)

    def _health(self, _request: Request) -> Response:
        status, body = self.health.answer()
        return Response(body, status)

    def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self.metrics).decode(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    def _change_faults(self, request: Request) -> Response:
        answer = self.faults.change(request.json())
        if self._database is not None:
            self._database.hold(self.faults.settings.pool)
        self.log.warning("faults changed", faults=answer)
        return Response(answer)

    def _clear_faults(self, _request: Request) -> Response:
        answer = self.faults.clear()
        if self._database is not None:
            self._database.hold(0)
        self.log.warning("faults cleared")
        return Response(answer)

    def _log_memory(self) -> None:
        self.log.info(f"memory usage {resident_bytes() / 1024 / 1024:.0f} MiB")
