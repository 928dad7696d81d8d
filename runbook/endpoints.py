"""Where the datastores of a stack answer: in the namespace, or at the address of one that somebody else runs."""

from __future__ import annotations

from dataclasses import dataclass

from runbook import datastores
from runbook.settings import ExternalServer, Settings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Host and port; ``tls`` where the server is outside and speaks nothing else.

    ``ca_secret`` has the authority of its certificate.
    """

    host: str
    port: int
    tls: bool = False
    ca_secret: str | None = None

    @property
    def sslmode(self) -> str:
        """How a client of PostgreSQL asks for TLS, in libpq's words."""
        if not self.tls:
            return "disable"
        # Without an authority, encrypted alone: RDS signs with one that no image brings along.
        return "verify-full" if self.ca_secret else "require"


def postgres(settings: Settings, suffix: str = "") -> Endpoint:
    """PostgreSQL itself. ``suffix`` follows the name of a Service of the namespace (``.crypto.svc``)."""
    return _server(settings.postgres.external, datastores.POSTGRES, suffix)


def redis(settings: Settings, suffix: str = "") -> Endpoint:
    """Redis."""
    return _server(settings.redis.external, datastores.REDIS, suffix)


def kafka(settings: Settings, suffix: str = "") -> tuple[Endpoint, ...]:
    """The brokers that a client asks first."""
    external = settings.kafka.external
    if external is None:
        return (Endpoint(datastores.KAFKA.name + suffix, datastores.KAFKA.port),)
    pairs = (address.rsplit(":", 1) for address in external.bootstrap)
    return tuple(Endpoint(host, int(port), external.tls, external.ca_secret) for host, port in pairs)


def bootstrap(brokers: tuple[Endpoint, ...]) -> str:
    """The brokers as Kafka's clients take them."""
    return ",".join(f"{broker.host}:{broker.port}" for broker in brokers)


def _server(external: ExternalServer | None, spec: datastores.DatastoreSpec, suffix: str) -> Endpoint:
    if external is None:
        return Endpoint(spec.name + suffix, spec.port)
    return Endpoint(external.host, external.port, external.tls, external.ca_secret)
