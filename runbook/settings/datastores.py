"""Settings of the datastores."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from runbook import database_roles, datastores, practices, services, thresholds
from runbook.database_roles import Names
from runbook.formats import (
    DatabaseRoleName,
    DnsLabel,
    DnsName,
    Fraction,
    HostPort,
    KafkaMechanism,
    Line,
    Pods,
    Port,
    Switch,
    Whole,
    form,
)
from runbook.settings.base import Cidr, Memory, Model, Resources, Volume


def _refuse_authority_without_tls(ca_secret: str | None, *, tls: bool) -> None:
    """An authority is of use to TLS alone.

    Raises:
        ValueError: an authority is named beside ``tls: false``.
    """
    if ca_secret and not tls:
        raise ValueError(
            f"caSecret {ca_secret!r} is set beside tls: false, where nothing asks for a certificate; "
            "remove one of the two"
        )


class ExternalServer(Model):
    """A datastore that somebody else runs (RDS, ElastiCache): nothing of it is declared, its address is used.

    ``cidr`` is where pods may go for it.
    """

    host: DnsName
    port: Port
    tls: Switch = True
    ca_secret: DnsLabel | None = Field(
        default=None,
        description="Secret with the key ca.crt, the authority of the server's certificate; left out: the authorities "
        "that each image knows check Redis, and nobody checks PostgreSQL",
    )
    cidr: Cidr = "0.0.0.0/0"

    @model_validator(mode="after")
    def _authority_of_tls(self) -> Self:
        _refuse_authority_without_tls(self.ca_secret, tls=self.tls)
        return self


class ExternalRedis(ExternalServer):
    """A Redis that somebody else runs, and how clients log in and trust it: by Secrets that they mount."""

    # Redis takes any name without spaces and null characters.
    user: str = form(
        r"^[^\s\x00-\x1f\x7f-\x9f]+$",
        "a name without spaces",
        default="default",
        description="the ACL user whose password is in secret",
    )
    secret: DnsLabel | None = Field(
        default=None,
        description="Secret with the keys password and exporter.json (docs/production.md); left out: no login",
    )

    @model_validator(mode="after")
    def _login(self) -> Self:
        if self.secret is None and self.user != "default":
            raise ValueError(
                f"user {self.user!r} is set without secret; name the Secret whose key password is the user's password"
            )
        return self


class ExternalKafka(Model):
    """A Kafka that somebody else runs (MSK), by the brokers that answer first, and how clients log in and trust it."""

    bootstrap: tuple[HostPort, ...] = Field(min_length=1, max_length=30)
    tls: Switch = True
    ca_secret: DnsLabel | None = Field(
        default=None,
        description="Secret with the key ca.crt, the authority of the brokers' certificates; left out: the authorities "
        "that each image knows",
    )
    # A line of exporter.args and a flag: no control characters.
    user: Line | None = Field(default=None, description="the user whose password is in secret; left out: no login")
    secret: DnsLabel | None = Field(
        default=None, description="Secret with the keys password and exporter.args (docs/production.md)"
    )
    mechanism: KafkaMechanism = Field(
        default=datastores.KAFKA_MECHANISM, description="how the brokers ask for the password"
    )
    cidr: Cidr = "0.0.0.0/0"

    @model_validator(mode="after")
    def _authority_of_tls(self) -> Self:
        _refuse_authority_without_tls(self.ca_secret, tls=self.tls)
        return self

    @model_validator(mode="after")
    def _login(self) -> Self:
        if self.secret and not self.user:
            raise ValueError(f"secret {self.secret!r} is set without user; name the user whose password it has")
        if self.user and not self.secret:
            raise ValueError(
                f"user {self.user!r} is set without secret; name the Secret whose key password is the user's password"
            )
        if self.user and self.mechanism == "PLAIN" and not self.tls:
            raise ValueError(
                "mechanism PLAIN beside tls: false sends the password in the clear; use SCRAM-SHA-512, or remove tls"
            )
        return self


class RoleNames(Model):
    """The names of PostgreSQL's roles; docs/operations/database-roles.md says what each may do."""

    owner: DatabaseRoleName = database_roles.OWNER.name
    services: DatabaseRoleName = database_roles.SERVICES.name
    maintenance: DatabaseRoleName = database_roles.MAINTENANCE.name
    reaper: DatabaseRoleName = database_roles.REAPER.name
    backup: DatabaseRoleName = database_roles.BACKUP.name
    monitoring: DatabaseRoleName = database_roles.MONITORING.name

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = list(self.model_dump().values())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two roles have the name {twice[0]!r}; give each a name of its own")
        return self


def _service(name: str) -> str:
    if name not in services.BY_NAME:
        raise ValueError(f"must be one of {', '.join(services.BY_NAME)}")
    return name


class MigrationSettings(Model):
    """How the schema is made and changed: a service's image, started with ``args``, as the owner of the database."""

    service: Annotated[str, AfterValidator(_service)] = Field(
        default=services.USER_SERVICE.name, description="the service whose image has the migrations"
    )
    args: tuple[Line, ...] = Field(default=("migrate",), description="the arguments of its container")


class PostgresSettings(Model):
    """PostgreSQL: its volume, its memory and ``max_connections`` (section 3.2 recommends 200 to 300)."""

    external: ExternalServer | None = None
    roles: RoleNames = RoleNames()
    migrations: MigrationSettings | None = Field(
        default=None, description="left out: the schema is made and changed elsewhere, as the owner"
    )
    volume_size: Volume = "100Gi"
    resources: Resources = Resources(cpu_request="1", memory_request="4Gi", memory_limit="4Gi")
    # The most that PostgreSQL takes.
    max_connections: Whole = Field(default=thresholds.MAX_CONNECTIONS_HIGH.count, ge=10, le=262_143)

    def authority_secrets(self) -> dict[str, str]:
        """Secrets that a client of the server itself mounts to trust it: folder -> Secret."""
        secret = self.external.ca_secret if self.external else None
        return {"postgres-ca": secret} if secret else {}

    @property
    def role_names(self) -> Names:
        """The name of each role."""
        return Names(**self.roles.model_dump())

    @property
    def set_up(self) -> bool:
        """Whether a Job prepares the database: the declared one always, another one where it has migrations."""
        return self.external is None or self.migrations is not None


class PgbouncerSettings(Model):
    """PgBouncer: how many clients it accepts and how many server connections it shares among them."""

    replicas: Pods = 2
    # A rollout has a pod more: three times this, and the jobs that go past it, fit into max_connections.
    pool_size: Whole = Field(default=90, ge=1, le=262_143, description="server connections of one pod to PostgreSQL")
    # Each is a file that the process has open, of which Linux gives it a million at most.
    max_client_connections: Whole = Field(default=2000, ge=1, le=1_000_000)
    resources: Resources = Resources(cpu_request="100m", memory_request="64Mi", memory_limit="128Mi")


class RedisSettings(Model):
    """Redis: ``maxmemory`` is a share of the memory limit, because a fork for a snapshot needs room beside the data."""

    external: ExternalRedis | None = None
    volume_size: Volume = "10Gi"
    resources: Resources = Resources(cpu_request="250m", memory_request="4Gi", memory_limit="4Gi")
    # Redis takes a maxmemory of 0 for no limit.
    maxmemory_ratio: Fraction = Field(default=0.6, ge=0.01, le=practices.REDIS_MAXMEMORY_RATIO.value)


class KafkaSettings(Model):
    """Kafka in KRaft mode: brokers, each of which is a controller as well."""

    external: ExternalKafka | None = None
    brokers: Pods = 3
    volume_size: Volume = "100Gi"
    heap: Memory = "2Gi"
    outside_listener: Switch = Field(
        default=False,
        description="a second listener that names brokers by pod address, for clients outside the cluster's DNS",
    )
    resources: Resources = Resources(cpu_request="500m", memory_request="4Gi", memory_limit="4Gi")

    def client_secrets(self) -> dict[str, str]:
        """Secrets that a client mounts to log in and to trust the brokers: folder -> Secret."""
        named = {"kafka": self.external.secret, "kafka-ca": self.external.ca_secret} if self.external else {}
        return {folder: secret for folder, secret in named.items() if secret}
