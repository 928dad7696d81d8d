"""Settings from the environment, read once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

ServiceName = Literal["api-gateway", "user-service", "market-data-service", "analytics", "sentiment"]


class ConfigError(Exception):
    """A variable is missing or wrong; one line that names it, its value and what is allowed."""


@dataclass(frozen=True)
class DatabaseConfig:
    """PostgreSQL, seen through PgBouncer; times in seconds, sizes in connections."""

    host: str
    port: int
    name: str
    user: str
    password_file: Path | None
    pool_size: int
    max_overflow: int
    pool_timeout: float
    pool_recycle: float


@dataclass(frozen=True)
class RedisConfig:
    """Redis; without a password file nobody logs in, and `ca_file` has the authorities of `tls`."""

    host: str
    port: int
    user: str
    password_file: Path | None
    tls: bool
    ca_file: Path | None


@dataclass(frozen=True)
class KafkaConfig:
    """Kafka; `protocol` and `mechanism` are Kafka's words, and without a password file nobody logs in."""

    servers: str
    protocol: str
    mechanism: str
    user: str
    password_file: Path | None
    ca_file: Path | None


@dataclass(frozen=True)
class Config:
    """One service's settings; `downstream` maps a service to its base URL."""

    service: ServiceName
    port: int
    health_path: str
    database: DatabaseConfig
    redis: RedisConfig
    kafka: KafkaConfig
    kafka_topic: str
    kafka_group: str
    kafka_partitions: int
    kafka_replication: int
    downstream: Mapping[str, str]
    jwt_secret_file: Path | None
    jwt_previous_secret_file: Path | None
    torch_device: str
    model: str
    work_interval: float
    crash_at_start: bool


_DOWNSTREAM: Final = {
    "user-service": "USER_SERVICE_URL",
    "market-data-service": "MARKET_DATA_SERVICE_URL",
    "analytics": "ANALYTICS_SERVICE_URL",
    "sentiment": "SENTIMENT_SERVICE_URL",
}


class _Reader:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str) -> str:
        return self._variables.get(name) or default

    def number(self, name: str, default: float, least: float, most: float) -> float:
        given = self._variables.get(name)
        if not given:
            return default
        try:
            value = float(given)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ConfigError(f"{name}={given!r}: give a number from {least:g} to {most:g}")
        return value

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        value = self.number(name, default, least, most)
        if value != int(value):
            raise ConfigError(f"{name}={value:g}: give a whole number from {least} to {most}")
        return int(value)

    def path(self, name: str) -> Path | None:
        given = self._variables.get(name)
        return Path(given) if given else None


def load_config(variables: Mapping[str, str]) -> Config:
    """Read the settings.

    Raises:
        ConfigError: SERVICE_NAME is missing or unknown, or a number is out of range.
    """
    read = _Reader(variables)
    service = read.text("SERVICE_NAME", "")
    if service not in get_args(ServiceName):
        raise ConfigError(f"SERVICE_NAME={service!r}: give one of {', '.join(get_args(ServiceName))}")
    return Config(
        service=cast("ServiceName", service),
        port=read.integer("PORT", 8000, 0, 65535),
        health_path=read.text("HEALTH_PATH", "/api/health" if service == "api-gateway" else "/health"),
        database=_database(read),
        redis=_redis(read),
        kafka=_kafka(read),
        kafka_topic=read.text("KAFKA_TOPIC", "price_updates"),
        kafka_group=read.text("KAFKA_GROUP", "analytics-service"),
        kafka_partitions=read.integer("KAFKA_PARTITIONS", 1, 1, 1000),
        kafka_replication=read.integer("KAFKA_REPLICATION_FACTOR", 1, 1, 10),
        downstream={name: read.text(variable, "").rstrip("/") for name, variable in _DOWNSTREAM.items()},
        jwt_secret_file=read.path("JWT_SECRET_FILE"),
        jwt_previous_secret_file=read.path("JWT_PREVIOUS_SECRET_FILE"),
        torch_device=read.text("TORCH_DEVICE", "cpu"),
        model=read.text("HUGGINGFACE_MODEL", "distilbert-base-uncased"),
        work_interval=read.number("WORK_INTERVAL_SECONDS", 5.0, 0.05, 3600),
        crash_at_start=read.text("FAULT_CRASH_AT_START", "0") == "1",
    )


def load_database_config(variables: Mapping[str, str]) -> DatabaseConfig:
    """Read the settings of the database alone.

    Raises:
        ConfigError: a number is out of range.
    """
    return _database(_Reader(variables))


def _redis(read: _Reader) -> RedisConfig:
    return RedisConfig(
        host=read.text("REDIS_HOST", "redis"),
        port=read.integer("REDIS_PORT", 6379, 1, 65535),
        user=read.text("REDIS_USER", "default"),
        password_file=read.path("REDIS_PASSWORD_FILE"),
        tls=read.text("REDIS_TLS", "false") == "true",
        ca_file=read.path("REDIS_CA_FILE"),
    )


def _kafka(read: _Reader) -> KafkaConfig:
    return KafkaConfig(
        servers=read.text("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"),
        protocol=read.text("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
        mechanism=read.text("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        user=read.text("KAFKA_USER", ""),
        password_file=read.path("KAFKA_PASSWORD_FILE"),
        ca_file=read.path("KAFKA_CA_FILE"),
    )


def _database(read: _Reader) -> DatabaseConfig:
    return DatabaseConfig(
        host=read.text("DATABASE_HOST", "pgbouncer"),
        port=read.integer("DATABASE_PORT", 6432, 1, 65535),
        name=read.text("DATABASE_NAME", "crypto_db"),
        user=read.text("DATABASE_USER", "crypto_user"),
        password_file=read.path("DATABASE_PASSWORD_FILE"),
        pool_size=read.integer("DATABASE_POOL_SIZE", 5, 1, 1000),
        max_overflow=read.integer("DATABASE_MAX_OVERFLOW", 0, 0, 1000),
        pool_timeout=read.number("DATABASE_POOL_TIMEOUT", 10.0, 0.01, 300),
        pool_recycle=read.number("DATABASE_POOL_RECYCLE", 3600.0, 1, 86400),
    )
