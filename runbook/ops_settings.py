"""What the operations program needs to know at run time, as one JSON file.

The Pulumi program renders it into a ConfigMap from the stack's settings; ``ops`` reads it back by the same model. It
names files that hold secrets and never holds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from runbook import database_roles, datastores, practices
from runbook.database_roles import DatabaseRole, Names
from runbook.formats import (
    BucketName,
    Database,
    Day,
    DnsLabel,
    Fraction,
    Host,
    HostPorts,
    KafkaMechanism,
    KeyPrefix,
    Line,
    MailAddress,
    Pods,
    Port,
    PublicKey,
    Region,
    SecretKey,
    Switch,
    TimeZone,
    Topic,
    WebAddress,
    Whole,
)

CONFIG_VARIABLE: Final = "OPS_CONFIG"
SECRETS_DIRECTORY: Final = "/etc/ops/secrets"
# The private key of a signer, in its Secret.
SIGNING_KEY: Final = "private.pem"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


class Login(_Model):
    """A database user and the file that holds its password."""

    user: Line
    password_file: Line


class _Encrypted(_Model):
    """A server that may speak TLS alone; ``ca_file`` has the authorities of its certificate."""

    tls: Switch = False
    ca_file: Line | None = None

    @model_validator(mode="after")
    def _authorities_of_tls(self) -> Self:
        if self.ca_file and not self.tls:
            raise ValueError(f"caFile {self.ca_file!r} is set beside tls: false; set tls to true, or leave caFile out")
        return self


class PostgresTarget(_Encrypted):
    """PostgreSQL itself, not PgBouncer: a dump needs one session with one snapshot.

    Clients check the certificate and its host name by the authorities of ``ca_file``; without it they check none.

    ``runbook/database_roles.py`` says what each login may do. ``superuser`` makes roles and databases. A job finds the
    files of the logins that it uses, and no other.
    """

    host: Host
    port: Port
    database: Database
    owner: Login
    services: Login
    maintenance: Login
    reaper: Login
    backup: Login
    monitoring: Login
    superuser: Login

    def login(self, role: DatabaseRole) -> Login:
        """The login of a role."""
        found: Login = getattr(self, role.key)
        return found

    @property
    def names(self) -> Names:
        """The name of each role on this server."""
        return Names(**{role.key: self.login(role).user for role in database_roles.ALL})


class RedisTarget(_Encrypted):
    """Redis. ``login`` is an ACL user; without ``ca_file`` the authorities are those of the machine.

    ``operator`` is the user that restores, looks into keys and removes them; without it, ``login`` is.
    """

    host: Host
    port: Port
    login: Login | None = None
    operator: Login | None = None

    @property
    def operated(self) -> Self:
        """The same server for what changes it: its login is the operator's."""
        return self.model_copy(update={"login": self.operator or self.login})


class KafkaTarget(_Encrypted):
    """Kafka: ``brokers`` is how many must answer. ``login`` is asked for by ``mechanism``.

    Without ``ca_file`` the authorities are those of the machine.
    """

    bootstrap: HostPorts
    brokers: Pods
    topic: Topic
    group: Line
    login: Login | None = None
    mechanism: KafkaMechanism = datastores.KAFKA_MECHANISM

    @property
    def protocol(self) -> str:
        """What the client speaks, in Kafka's words (``SASL_SSL``)."""
        return datastores.kafka_protocol(login=self.login is not None, tls=self.tls)


class ServiceTarget(_Model):
    """A service of the system and the address of its health page."""

    name: DnsLabel
    health_url: WebAddress


class Signer(_Model):
    """Who signs: the public keys (Ed25519, base64) that are taken, and the file of the private key.

    The file is mounted only in the job that signs. There are several public keys while one is replaced.
    """

    public_keys: tuple[PublicKey, ...] = Field(min_length=1)
    private_key_file: Line


class Signers(_Model):
    """Who signs the manifests of each kind, and who the proofs."""

    postgres: Signer
    redis: Signer
    resources: Signer
    verify: Signer

    @property
    def by_name(self) -> Mapping[str, Signer]:
        return {"postgres": self.postgres, "redis": self.redis, "resources": self.resources, "verify": self.verify}


class BackupTarget(_Model):
    """The bucket of the backups; ``endpoint`` only where there is no AWS. Ages in days.

    ``shrink_share`` is the share of the rows, keys or objects before, below which a backup has shrunk.

    ``public_key`` is an age recipient (``age1...``): what is written is encrypted for it. ``private_key_file`` is
    mounted only where something is restored. Without ``signers`` nothing is signed, and no signature is looked at.
    """

    bucket: BucketName
    prefix: KeyPrefix
    region: Region
    endpoint: WebAddress | None = None
    retention_days: Whole = Field(ge=1, le=36500)
    shrink_share: Fraction = Field(default=practices.BACKUP_SHRINK.value, ge=0, le=1)
    public_key: Line | None = None
    private_key_file: Line | None = None
    signers: Signers | None = None


class PrometheusTarget(_Model):
    """Prometheus, by the address of its HTTP API."""

    url: WebAddress


class MailTarget(_Model):
    """Where mail goes. ``password_file`` only where the server wants a login; ``tls`` is STARTTLS."""

    host: Host
    port: Port
    sender: MailAddress
    recipients: tuple[MailAddress, ...] = Field(min_length=1)
    tls: Switch = True
    user: Line | None = None
    password_file: Line | None = None


class ChatTarget(_Model):
    """A Slack webhook, by the file that holds its address: the address is the secret."""

    webhook_file: Line


class ScaleTarget(_Model):
    """An autoscaler's least replicas outside and in the peak hours."""

    name: DnsLabel
    normal: Pods
    peak: Pods


class JwtTarget(_Model):
    """The JWT secret: ``key`` signs, ``previous_key`` still verifies, ``services`` are rolled when it changes.

    Those that verify stand before those that sign: where a key leaked, they are the first to forget it.
    """

    secret: DnsLabel
    key: SecretKey = "secret"
    previous_key: SecretKey = "previous"
    services: tuple[DnsLabel, ...]


class Waiver(_Model):
    """An entry of the stack's waivers, as the policy pack takes it; ``expires`` still counts."""

    rule: str = Field(min_length=1)
    resource: str = Field(min_length=1, description="as a report of the policies calls it: RoleBinding on-call")
    owner: str = Field(min_length=1, description="who answers for it")
    reason: str = Field(min_length=1)
    ticket: str = Field(min_length=1)
    expires: Day = Field(description="the last day on which it counts")


class OpsSettings(_Model):
    """All of it."""

    namespace: DnsLabel
    time_zone: TimeZone
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
