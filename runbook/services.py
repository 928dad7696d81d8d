"""The five services of the system: names, ports, health paths, replicas and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook import thresholds
from runbook.datastores import KAFKA, PGBOUNCER, REDIS, DatastoreSpec
from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class ReplicaRange:
    """Pods of a service: ``normal`` outside and ``peak`` at most during the peak hours (section 4.2)."""

    normal: int
    peak: int

    def __post_init__(self) -> None:
        if not 1 <= self.normal < self.peak:
            raise ValueError(f"replicas {self.normal}..{self.peak}: normal must be at least 1 and below peak")


@dataclass(frozen=True, slots=True)
class MemoryRange:
    """Memory of a pod in bytes: what is reserved and what it may use at most."""

    request: int
    limit: int

    def __post_init__(self) -> None:
        if not 0 < self.request <= self.limit:
            raise ValueError(
                f"memory {self.request}..{self.limit}: the request must be above 0 and not above the limit"
            )


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service as the runbook knows it: Deployment ``name``, Service ``service_name``, port and health path.

    ``uses`` are the datastores that it talks to, ``calls`` the services (by name): nothing else is open to it.
    """

    name: str
    service_name: str
    port: int
    health_path: str
    replicas: ReplicaRange
    memory: MemoryRange
    section: Section
    uses: tuple[DatastoreSpec, ...]
    calls: tuple[str, ...] = ()
    uses_jwt: bool = False
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """The service's address inside its namespace."""
        return f"http://{self.service_name}:{self.port}"


# A service above 1 GB is leaking (section 3.6). The limit lies above: the alert must speak before the kernel does.
_COMMON_MEMORY: Final = MemoryRange(request=256 * 2**20, limit=1536 * 2**20)

API_GATEWAY: Final = ServiceSpec(
    "api-gateway",
    "api-gateway",
    8000,
    "/api/health",
    ReplicaRange(3, 10),
    _COMMON_MEMORY,
    Section.PEAK_SCALING,
    uses=(PGBOUNCER, REDIS),
    calls=("user-service", "market-data-service", "analytics", "sentiment"),
    uses_jwt=True,
)
# The runbook scales three services by hand and is silent on the other two: two pods survive the loss of one, twice that
# is room to grow.
USER_SERVICE: Final = ServiceSpec(
    "user-service",
    "user-service",
    8001,
    "/health",
    ReplicaRange(2, 4),
    _COMMON_MEMORY,
    Section.AUTOSCALING,
    uses=(PGBOUNCER,),
    uses_jwt=True,
)
MARKET_DATA: Final = ServiceSpec(
    "market-data-service",
    "market-data-service",
    8002,
    "/health",
    ReplicaRange(2, 4),
    _COMMON_MEMORY,
    Section.AUTOSCALING,
    uses=(PGBOUNCER, REDIS, KAFKA),
)
ANALYTICS: Final = ServiceSpec(
    "analytics",
    "analytics-service",
    8003,
    "/health",
    ReplicaRange(3, 8),
    _COMMON_MEMORY,
    Section.PEAK_SCALING,
    uses=(PGBOUNCER, REDIS, KAFKA),
)
SENTIMENT: Final = ServiceSpec(
    "sentiment",
    "sentiment-service",
    8004,
    "/health",
    ReplicaRange(2, 5),
    MemoryRange(thresholds.SENTIMENT_MEMORY_REQUEST.count, thresholds.SENTIMENT_MEMORY_LIMIT.count),
    Section.PEAK_SCALING,
    uses=(PGBOUNCER, KAFKA),
    environment=(("TORCH_DEVICE", "cpu"), ("HUGGINGFACE_MODEL", "distilbert-base-uncased")),
)

ALL: Final[tuple[ServiceSpec, ...]] = (API_GATEWAY, USER_SERVICE, MARKET_DATA, ANALYTICS, SENTIMENT)
# What `ops scale` moves between normal and peak (section 4.2).
SCALED_AT_PEAK: Final[tuple[ServiceSpec, ...]] = tuple(spec for spec in ALL if spec.section is Section.PEAK_SCALING)
BY_NAME: Final = {service.name: service for service in ALL}

# The runbook's names on the message bus (section 3.4).
PRICE_TOPIC: Final = "price_updates"
ANALYTICS_GROUP: Final = "analytics-service"
