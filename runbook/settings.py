"""The settings of a stack: typed, frozen, and checked before anything is declared.

``load`` takes plain data (what ``Pulumi.<stack>.yaml`` holds under ``crypto:``) and either returns settings that fit
together or raises one error whose lines each name the key, the value, what is allowed and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self, cast
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from runbook import quantity, services, thresholds

IMAGE_NAMES: Final = ("ops", "postgres", "pgbouncer", "redis", "kafka", *(service.name for service in services.ALL))


class SettingsError(ValueError):
    """The stack's settings are wrong; the message has one line for each thing to mend."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


def _quantity(text: str) -> str:
    if quantity.parse(text) <= 0:
        raise ValueError("must be above zero, like 512Mi, 4Gi, 250m or 2")
    return text


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a name of the tz database, like UTC or Europe/Berlin")
    return name


Quantity = Annotated[str, AfterValidator(_quantity)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
DnsName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max_length=253)
]
DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$")]


class Resources(_Model):
    """What a pod reserves and may use. CPU has no limit: a throttled probe looks like a dead service."""

    cpu_request: Quantity
    memory_request: Quantity
    memory_limit: Quantity

    @model_validator(mode="after")
    def _request_fits_limit(self) -> Self:
        if quantity.parse(self.memory_request) > quantity.parse(self.memory_limit):
            raise ValueError(f"memoryRequest {self.memory_request} is above memoryLimit {self.memory_limit}")
        return self


def _bytes(number: int) -> str:
    return f"{number // 2**20}Mi" if number % 2**30 else f"{number // 2**30}Gi"


class ServiceSettings(_Model):
    """One service of the stack; what is left out comes from the runbook."""

    replicas_normal: int = Field(ge=1)
    replicas_peak: int = Field(ge=1)
    resources: Resources
    cpu_cores: int = Field(default=4, ge=1, description="cores that a pod can use; the pool size follows from it")

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.replicas_peak < self.replicas_normal:
            raise ValueError(f"replicasPeak {self.replicas_peak} is below replicasNormal {self.replicas_normal}")
        return self


class PostgresSettings(_Model):
    """PostgreSQL: its volume, its memory and ``max_connections`` (section 3.2 recommends 200 to 300)."""

    volume_size: Quantity = "100Gi"
    resources: Resources = Resources(cpu_request="1", memory_request="4Gi", memory_limit="4Gi")
    max_connections: int = Field(default=thresholds.MAX_CONNECTIONS_HIGH.count, ge=10)


class PgbouncerSettings(_Model):
    """PgBouncer: how many clients it accepts and how many server connections it shares among them."""

    replicas: int = Field(default=2, ge=1)
    pool_size: int = Field(default=100, ge=1, description="server connections of one pod to PostgreSQL")
    max_client_connections: int = Field(default=2000, ge=1)
    resources: Resources = Resources(cpu_request="100m", memory_request="64Mi", memory_limit="128Mi")


class RedisSettings(_Model):
    """Redis: ``maxmemory`` is a share of the memory limit, because a fork for a snapshot needs room beside the data."""

    volume_size: Quantity = "10Gi"
    resources: Resources = Resources(cpu_request="250m", memory_request="4Gi", memory_limit="4Gi")
    maxmemory_ratio: float = Field(default=0.6, gt=0, le=0.75)


class KafkaSettings(_Model):
    """Kafka in KRaft mode: brokers, each of which is a controller as well."""

    brokers: int = Field(default=3, ge=1)
    volume_size: Quantity = "100Gi"
    heap: Quantity = "2Gi"
    external: bool = Field(
        default=False,
        description="a second listener that names brokers by pod address, for clients outside the cluster's DNS",
    )
    resources: Resources = Resources(cpu_request="500m", memory_request="4Gi", memory_limit="4Gi")


class BackupSettings(_Model):
    """Where backups go. ``bucket`` is also the name of the S3 bucket that the program declares."""

    bucket: BucketName
    prefix: str = Field(default="crypto-analytics/", pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/$")
    retention_days: int = Field(default=thresholds.BACKUP_RETENTION.count, ge=1)
    force_destroy: bool = Field(default=False, description="let `pulumi destroy` empty the bucket; never in production")
    resources: Resources = Resources(cpu_request="500m", memory_request="512Mi", memory_limit="1Gi")


class AwsSettings(_Model):
    """The AWS account. ``endpoint`` and ``credentials_secret`` belong to environments without AWS."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    credentials_secret: DnsLabel | None = None
    oidc_provider_arn: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:iam::\d{12}:oidc-provider/.+$",
        description="IAM provider of the cluster's service-account tokens; pods get their IAM role by it",
    )


class SecretNames(_Model):
    """Kubernetes Secrets that must exist; the program names them and never sees what is in them."""

    postgres: DnsLabel = "postgres-credentials"
    postgres_superuser: DnsLabel = "postgres-superuser"
    postgres_backup: DnsLabel = "postgres-backup"
    pgbouncer: DnsLabel = "pgbouncer-userlist"
    jwt: DnsLabel = "jwt-secret"


def _default_services() -> dict[str, ServiceSettings]:
    return {spec.name: _service_settings(spec, {}) for spec in services.ALL}


def _as_mapping(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is {given!r}; it must be a mapping of names to values")  # noqa: TRY004 (pydantic's own)
    return cast("Mapping[str, Any]", given)


def _service_settings(spec: services.ServiceSpec, overrides: Any) -> ServiceSettings:
    given = _as_mapping(spec.name, overrides)
    resources = {
        "cpuRequest": "500m",
        "memoryRequest": _bytes(spec.memory.request),
        "memoryLimit": _bytes(spec.memory.limit),
    }
    merged: dict[str, Any] = {"replicasNormal": spec.replicas.normal, "replicasPeak": spec.replicas.peak, **given}
    merged["resources"] = {**resources, **_as_mapping(f"{spec.name}.resources", given.get("resources", {}))}
    return ServiceSettings.model_validate(merged)


class Settings(_Model):
    """Everything that a stack decides."""

    environment_name: str = Field(pattern=r"^[a-z][-a-z0-9]*$", description="what the stack is: production, local ...")
    owner: str = Field(min_length=1, description="the team that is asked about these resources")
    domain: DnsName
    namespace: DnsLabel = "crypto"
    kube_context: str = Field(
        min_length=1, description="context of the kubeconfig; named so that no other cluster is hit"
    )
    time_zone: TimeZone = "UTC"
    storage_class: DnsName | None = Field(default=None, description="left out: the cluster's default class")
    images: dict[str, str]
    image_pull_secret: DnsLabel | None = None
    services: dict[str, ServiceSettings] = Field(default_factory=_default_services)
    postgres: PostgresSettings = PostgresSettings()
    pgbouncer: PgbouncerSettings = PgbouncerSettings()
    redis: RedisSettings = RedisSettings()
    kafka: KafkaSettings = KafkaSettings()
    backup: BackupSettings
    aws: AwsSettings
    secrets: SecretNames = SecretNames()
    protect: bool = Field(default=True, description="refuse to delete what holds data")

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
    def _fill_services(cls, given: Any) -> dict[str, ServiceSettings]:
        given = _as_mapping("services", given)
        unknown = sorted(name for name in given if name not in services.BY_NAME)
        if unknown:
            raise ValueError(f"no such service: {', '.join(unknown)}; known are {', '.join(services.BY_NAME)}")
        return {spec.name: _service_settings(spec, given.get(spec.name, {})) for spec in services.ALL}

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if self.aws.endpoint is not None and self.aws.credentials_secret is None:
            raise ValueError("aws.endpoint is set without aws.credentialsSecret; name the Secret that the jobs mount")
        return self

    def image(self, name: str) -> str:
        """The full reference of an image of ``IMAGE_NAMES``."""
        return self.images[name]


def load(values: Mapping[str, Any]) -> Settings:
    """Settings from plain data with the keys of the stack file.

    Raises:
        SettingsError: one line for each wrong, missing or unknown key.
    """
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(detail) for detail in error.errors())) from None


def _explain(detail: Any) -> str:
    key = "crypto:" + ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    match detail["type"]:
        case "missing":
            return f"{key} is missing; set it in the stack file (Pulumi.yaml says what it is)"
        case "extra_forbidden":
            return f"{key} is no setting of this program; remove it or mend its spelling"
        case _ if isinstance(detail["input"], (dict, list)):
            return f"{key}: {message}"
        case _:
            return f"{key} is {detail['input']!r}: {message}"
