"""Everything that a stack decides, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self, cast

from pydantic import Field, ValidationError, field_validator, model_validator

from runbook import formats, services
from runbook.formats import DnsLabel, DnsName, Image, Line, Switch, form
from runbook.settings.base import Model, TimeZone
from runbook.settings.datastores import KafkaSettings, PgbouncerSettings, PostgresSettings, RedisSettings
from runbook.settings.edge import AccessSettings, CertificateSettings, IngressSettings, NetworkSettings, PolicySettings
from runbook.settings.monitoring import AlertingSettings, MonitoringSettings, NotificationSettings
from runbook.settings.storage import AwsSettings, BackupSettings
from runbook.settings.workloads import ServiceSettings, completed, default_services

IMAGE_NAMES: Final = (
    "ops",
    "postgres",
    "pgbouncer",
    "redis",
    "kafka",
    "maintenance",
    "postgres-exporter",
    "redis-exporter",
    "kafka-exporter",
    *(service.name for service in services.ALL),
)


class SettingsError(ValueError):
    """The stack's settings are wrong; the message has one line for each thing to mend."""


class SecretNames(Model):
    """Kubernetes Secrets that must exist; the program names them and never sees what is in them."""

    postgres: DnsLabel = "postgres-credentials"
    postgres_superuser: DnsLabel = "postgres-superuser"
    postgres_owner: DnsLabel = "postgres-owner"
    postgres_maintenance: DnsLabel = "postgres-maintenance"
    postgres_reaper: DnsLabel = "postgres-reaper"
    postgres_backup: DnsLabel = "postgres-backup"
    postgres_monitoring: DnsLabel = "postgres-monitoring"
    redis_services: DnsLabel = "redis-services"
    redis_backup: DnsLabel = "redis-backup"
    redis_operator: DnsLabel = "redis-operator"
    redis_monitoring: DnsLabel = "redis-monitoring"
    pgbouncer: DnsLabel = "pgbouncer-userlist"
    jwt: DnsLabel = "jwt-secret"
    backup_key: DnsLabel = "backup-key"
    signing_postgres: DnsLabel = "signing-postgres"
    signing_redis: DnsLabel = "signing-redis"
    signing_resources: DnsLabel = "signing-resources"
    signing_verify: DnsLabel = "signing-verify"

    @property
    def signing(self) -> dict[str, str]:
        """The Secret of each signer of backups."""
        return {
            "postgres": self.signing_postgres,
            "redis": self.signing_redis,
            "resources": self.signing_resources,
            "verify": self.signing_verify,
        }


class Settings(Model):
    """Everything that a stack decides."""

    environment_name: str = form(
        r"^[a-z][-a-z0-9]*$",
        "lower-case letters, digits and hyphens, with a letter first",
        description="what the stack is: production, local ...",
    )
    owner: Line = Field(default="platform", description="the team that is asked about these resources")
    domain: DnsName
    namespace: DnsLabel = "crypto"
    kube_context: Line = Field(description="context of the kubeconfig; named so that no other cluster is hit")
    time_zone: TimeZone = "UTC"
    storage_class: DnsName | None = Field(default=None, description="left out: the cluster's default class")
    images: dict[str, Image]
    image_pull_secret: DnsLabel | None = None
    services: dict[str, ServiceSettings] = Field(default_factory=default_services)
    postgres: PostgresSettings = PostgresSettings()
    pgbouncer: PgbouncerSettings = PgbouncerSettings()
    redis: RedisSettings = RedisSettings()
    kafka: KafkaSettings = KafkaSettings()
    backup: BackupSettings
    aws: AwsSettings
    secrets: SecretNames = SecretNames()
    ingress: IngressSettings = IngressSettings()
    certificates: CertificateSettings
    monitoring: MonitoringSettings = MonitoringSettings()
    alerting: AlertingSettings = AlertingSettings()
    notifications: NotificationSettings = NotificationSettings()
    access: AccessSettings = AccessSettings()
    policies: PolicySettings = PolicySettings()
    network: NetworkSettings = NetworkSettings()
    protect: Switch = Field(default=True, description="refuse to delete what holds data")
    maintenance: Switch = Field(default=False, description="serve the maintenance page and suspend the jobs")
    adopt_namespace: Switch = Field(
        default=False, description="the namespace exists and belongs to somebody else: label it, never delete it"
    )

    @field_validator("images")
    @classmethod
    def _every_image(cls, images: dict[str, str]) -> dict[str, str]:
        missing = [name for name in IMAGE_NAMES if name not in images]
        unknown = sorted(set(images) - set(IMAGE_NAMES))
        if missing or unknown:
            wrong = [
                f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("unknown", unknown)) if names
            ]
            raise ValueError(f"{'; '.join(wrong)}; needed is a full reference for each of {', '.join(IMAGE_NAMES)}")
        return images

    @field_validator("services", mode="before")
    @classmethod
    def _fill_services(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        said = cast("Mapping[str, object]", given)
        unknown = sorted(str(name) for name in said if name not in services.BY_NAME)
        if unknown:
            raise ValueError(f"no such service: {', '.join(unknown)}; known are {', '.join(services.BY_NAME)}")
        return {spec.name: completed(spec, said.get(spec.name, {})) for spec in services.ALL}

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if self.aws.endpoint is not None and self.aws.credentials_secret is None:
            raise ValueError("aws.endpoint is set without aws.credentialsSecret; name the Secret that the jobs mount")
        return self

    def image(self, name: str) -> str:
        """The full reference of an image of ``IMAGE_NAMES``."""
        return self.images[name]


def load(values: Mapping[str, Any], model: type[Settings] = Settings) -> Settings:
    """Settings from plain data with the keys of the stack file.

    Raises:
        SettingsError: one line for each wrong, missing or unknown key.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(detail) for detail in error.errors() if not _follows(detail))) from None


def _follows(detail: Any) -> bool:
    """Whether an error is that a list has too few elements, only because those that it has are wrong."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _explain(detail: Any) -> str:
    key = "crypto:" + ".".join(str(part) for part in detail["loc"])
    message = formats.told(detail)
    match detail["type"]:
        case "missing":
            return f"{key} is missing; set it in the stack file (Pulumi.yaml says what it is)"
        case "extra_forbidden":
            return f"{key} is no setting of this program; remove it or mend its spelling"
        case kind if isinstance(detail["input"], (dict, list)) and kind not in ("dict_type", "model_type"):
            return f"{key}: {message}"
        case _:
            return f"{key} is {formats.shown(detail['input'])}: {message}"
