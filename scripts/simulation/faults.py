"""How each simulated incident is caused and ended. Every fault ends with its ``with`` block, whatever happens in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from runbook import practices, services, thresholds
from runbook.datastores import DATABASE
from scripts import lazy
from scripts.clients import postgres, redis_server
from scripts.clients.postgres import Access
from scripts.exits import CheckFailedError, TemporaryError
from scripts.simulation import objects
from scripts.simulation.place import Place, ask

Fault = Callable[[Place], AbstractContextManager[None]]

# With what the process has anyway: over the threshold, and far below the container's own limit.
_KEPT_MEBIBYTES: Final = int(thresholds.SERVICE_MEMORY.value * 1.1) // 2**20
_VALUE_BYTES: Final = 10_000_000


@contextmanager
def _in_service(place: Place, spec: services.ServiceSpec, fault: Mapping[str, object], first: int) -> Generator[None]:
    """A fault of the sample service in so many of its pods."""
    pods = list(place.pods(spec.name))[:first]
    if not pods:
        raise TemporaryError(f"no pod of {spec.name} runs")
    off = {name: False if isinstance(value, bool) else 0 for name, value in fault.items()}
    with ExitStack() as ends:
        for pod in pods:
            ends.callback(_end, place, spec, pod, off)
            ask("POST", _faults(spec, pod), dict(fault))
        yield


def _end(place: Place, spec: services.ServiceSpec, pod: Any, off: Mapping[str, object]) -> None:
    """Ends a fault; it ends by itself with its pod, which an autoscaler may take away meanwhile."""
    try:
        ask("POST", _faults(spec, pod), dict(off))
    except TemporaryError:
        if pod["metadata"]["uid"] in {other["metadata"]["uid"] for other in place.pods(spec.name)}:
            raise


def _faults(spec: services.ServiceSpec, pod: Any) -> str:
    return f"http://{pod['status']['podIP']}:{spec.port}/faults"


@contextmanager
def _requests(place: Place) -> Generator[None]:
    """Users of the API, without whom nothing fails."""
    ended = threading.Event()
    health = next(item.health_url for item in place.settings.services if item.name == services.API_GATEWAY.name)
    url = f"http://{urlsplit(health).netloc}/api/dashboard"

    def user() -> None:
        with lazy.httpx.Client(timeout=5, trust_env=False) as client:
            while not ended.wait(0.2):
                try:
                    client.get(url)
                except lazy.httpx.HTTPError:
                    continue

    users = [threading.Thread(target=user, daemon=True) for _ in range(4)]
    for thread in users:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in users:
            thread.join(10)


@contextmanager
def errors(place: Place) -> Generator[None]:
    """Half of the API's requests fail."""
    with _requests(place), _in_service(place, services.API_GATEWAY, {"errors": 0.5}, 99):
        yield


@contextmanager
def latency(place: Place) -> Generator[None]:
    """Requests to the API take longer than they may."""
    slow = {"latency_ms": thresholds.LATENCY_P95.value * 1000 + 300}
    with _requests(place), _in_service(place, services.API_GATEWAY, slow, 99):
        yield


@contextmanager
def pool(place: Place) -> Generator[None]:
    """More of PostgreSQL's connections are in use than may be."""
    target = place.settings.postgres
    access = Access.of(target, target.maintenance)
    with ExitStack() as held:
        first = held.enter_context(postgres.connect(access, DATABASE, application="simulation"))
        row = first.execute("SELECT current_setting('max_connections')::int").fetchone()
        wanted = int((row[0] if row else 0) * (practices.CONNECTION_RATIO.value + 0.02))
        for _ in range(wanted - 1):
            held.enter_context(postgres.connect(access, DATABASE, application="simulation"))
        yield


@contextmanager
def redis_memory(place: Place) -> Generator[None]:
    """Redis holds more than it should; the keys are the simulation's own and end by themselves."""
    with redis_server.connect(place.settings.redis.operated, seconds=30) as client:
        # Any: the client's types mix the answers of its blocking and its asynchronous kind.
        server: Any = client
        most = int(server.info("memory")["maxmemory"])
        if not most:
            raise CheckFailedError("Redis has no maxmemory: there is nothing to fill")
        names = [
            f"simulated:{i}" for i in range(int(most * (thresholds.REDIS_MEMORY_RATIO.value + 0.05)) // _VALUE_BYTES)
        ]
        try:
            for name in names:
                server.setrange(name, _VALUE_BYTES - 1, b"x")
                server.expire(name, 1800)
            yield
        finally:
            server.unlink(*names)


@contextmanager
def kafka_lag(place: Place) -> Generator[None]:
    """Twice as many messages as may wait, and nobody who reads them."""
    with _in_service(place, services.ANALYTICS, {"lag": True}, 99):
        burst = {"burst": 2 * thresholds.KAFKA_LAG.count}
        with _in_service(place, services.MARKET_DATA, burst, 1):
            yield


@contextmanager
def memory(place: Place) -> Generator[None]:
    """One pod keeps more than a service may have."""
    with _in_service(place, services.USER_SERVICE, {"memory_mb": _KEPT_MEBIBYTES}, 1):
        yield


ALL: Final[Mapping[str, Fault]] = {
    "errors": errors,
    "latency": latency,
    "pool": pool,
    "redis-memory": redis_memory,
    "kafka-lag": kafka_lag,
    "crash-loop": objects.crash_loop,
    "memory": memory,
    "disk": objects.full_volume,
    "backup-failure": objects.failing_run("backup-postgres"),
    "job-failure": objects.failing_run("incident-review"),
    "target-down": objects.closed_port(services.SENTIMENT.service_name),
}
