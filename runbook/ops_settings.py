"""What the operations program needs to know at run time, as one JSON file.

The Pulumi program renders it into a ConfigMap from the stack's settings; ``ops`` reads it back by the same model. It
names files that hold secrets and never holds one.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from runbook import practices

CONFIG_VARIABLE: Final = "OPS_CONFIG"
SECRETS_DIRECTORY: Final = "/etc/ops/secrets"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


class Login(_Model):
    """A database user and the file that holds its password."""

    user: str
    password_file: str


class PostgresTarget(_Model):
    """PostgreSQL itself, not PgBouncer: a dump needs one session with one snapshot.

    ``backup`` may read everything; ``owner`` owns the database; ``superuser`` may create databases.
    """

    host: str
    port: int = Field(ge=1, le=65535)
    database: str
    backup: Login
    owner: Login
    superuser: Login


class RedisTarget(_Model):
    """Redis. ``login`` is an ACL user; ``ca_file`` has the authorities of ``tls``, by default those of the machine."""

    host: str
    port: int = Field(ge=1, le=65535)
    login: Login | None = None
    tls: bool = False
    ca_file: str | None = None


class KafkaTarget(_Model):
    """Kafka: ``brokers`` is how many must answer."""

    bootstrap: str
    brokers: int = Field(ge=1)
    topic: str
    group: str
    tls: bool = False


class ServiceTarget(_Model):
    """A service of the system and the address of its health page."""

    name: str
    health_url: str


class BackupTarget(_Model):
    """The bucket of the backups; ``endpoint`` only where there is no AWS. Ages in days.

    ``shrink_share`` is the share of the rows, keys or objects before, below which a backup has shrunk.

    ``public_key`` is an age recipient (``age1...``): what is written is encrypted for it. ``private_key_file`` is
    mounted only where something is restored.
    """

    bucket: str
    prefix: str
    region: str
    endpoint: str | None = None
    retention_days: int = Field(ge=1, le=36500)
    shrink_share: float = Field(default=practices.BACKUP_SHRINK.value, ge=0, le=1)
    public_key: str | None = None
    private_key_file: str | None = None


class PrometheusTarget(_Model):
    """Prometheus, by the address of its HTTP API."""

    url: str


class MailTarget(_Model):
    """Where mail goes. ``password_file`` only where the server wants a login; ``tls`` is STARTTLS."""

    host: str
    port: int = Field(ge=1, le=65535)
    sender: str
    recipients: tuple[str, ...] = Field(min_length=1)
    tls: bool = True
    user: str | None = None
    password_file: str | None = None


class ChatTarget(_Model):
    """A Slack webhook, by the file that holds its address: the address is the secret."""

    webhook_file: str


class ScaleTarget(_Model):
    """An autoscaler's least replicas outside and in the peak hours."""

    name: str
    normal: int = Field(ge=1)
    peak: int = Field(ge=1)


class JwtTarget(_Model):
    """The JWT secret: ``key`` signs, ``previous_key`` still verifies, ``services`` are rolled when it changes.

    Those that verify stand before those that sign: where a key leaked, they are the first to forget it.
    """

    secret: str
    key: str = "secret"
    previous_key: str = "previous"
    services: tuple[str, ...]


class Waiver(_Model):
    """An entry of the stack's waivers, as the policy pack takes it; ``expires`` still counts."""

    rule: str = Field(min_length=1)
    resource: str = Field(min_length=1, description="as a report of the policies calls it: RoleBinding on-call")
    owner: str = Field(min_length=1, description="who answers for it")
    reason: str = Field(min_length=1)
    ticket: str = Field(min_length=1)
    expires: date = Field(description="the last day on which it counts")


class OpsSettings(_Model):
    """All of it."""

    namespace: str
    time_zone: str
    postgres: PostgresTarget
    redis: RedisTarget
    kafka: KafkaTarget
    services: tuple[ServiceTarget, ...]
    backup: BackupTarget
    prometheus: PrometheusTarget | None = None
    mail: MailTarget | None = None
    chat: ChatTarget | None = None
    scaling: tuple[ScaleTarget, ...] = ()
    jwt: JwtTarget | None = None
    waivers: tuple[Waiver, ...] = ()
