"""Exporters: the state of the datastores and of the backups as metrics (sections 3.2, 3.3, 3.4 and 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
from pulumi_kubernetes import core

from components import pods
from components.context import Context
from components.deployment import Workload, WorkloadArgs
from components.ops_config import CONFIG_DIRECTORY, CONFIG_MAP
from runbook import capacity, datastores, endpoints, exporters, redis_users
from runbook.exporters import PORT_NAME, ExporterSpec
from runbook.formats import KafkaMechanism
from runbook.settings import Settings

_SECRETS: Final = "/etc/exporter/secrets"
# kafka_exporter's own names.
_EXPORTER_MECHANISMS: Final[dict[KafkaMechanism, str]] = {
    "SCRAM-SHA-512": "scram-sha512",
    "SCRAM-SHA-256": "scram-sha256",
    "PLAIN": "plain",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """How an exporter reaches what it shows: arguments, environment and mounted files; Secrets are folder -> Secret."""

    args: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict[str, str])
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    mounts: Sequence[pods.Mount] = ()


def postgres_connection(settings: Settings) -> Connection:
    """A role with pg_monitor: it sees what the server does and nothing of what is in it."""
    server = endpoints.postgres(settings)
    authority = f"&sslrootcert={_SECRETS}/postgres-ca/ca.crt" if server.ca_secret else ""
    database = f"{datastores.DATABASE}?sslmode={server.sslmode}{authority}"
    return Connection(
        environment={
            "DATA_SOURCE_URI": f"{server.host}:{server.port}/{database}",
            "DATA_SOURCE_USER": settings.postgres.role_names.monitoring,
            "DATA_SOURCE_PASS_FILE": f"{_SECRETS}/postgres/password",
        },
        secrets={"postgres": settings.secrets.postgres_monitoring, **settings.postgres.authority_secrets()},
    )


def redis_connection(settings: Settings) -> Connection:
    """Redis by its address; its password comes from a file in the exporter's own format (docs/production.md)."""
    server, login = endpoints.redis(settings), redis_users.login(settings, redis_users.MONITORING)
    scheme = "rediss" if server.tls else "redis"
    environment = {"REDIS_ADDR": f"{scheme}://{server.host}:{server.port}"}
    if login:
        environment |= {"REDIS_USER": login.user, "REDIS_PASSWORD_FILE": f"{_SECRETS}/redis/exporter.json"}
    if server.ca_secret:
        environment["REDIS_EXPORTER_TLS_CA_CERT_FILE"] = f"{_SECRETS}/redis-ca/ca.crt"
    return Connection(environment=environment, secrets=redis_users.client_secrets(settings, redis_users.MONITORING))


def kafka_connection(settings: Settings) -> Connection:
    """Kafka by the brokers that answer first; the password's flag comes from a file (docs/production.md)."""
    brokers, external = endpoints.kafka(settings), settings.kafka.external
    args = [f"--kafka.server={broker.host}:{broker.port}" for broker in brokers]
    if brokers[0].tls:
        args.append("--tls.enabled")
    if brokers[0].ca_secret:
        args.append(f"--tls.ca-file={_SECRETS}/kafka-ca/ca.crt")
    if external and external.user:
        mechanism = _EXPORTER_MECHANISMS[external.mechanism]
        args += ["--sasl.enabled", f"--sasl.mechanism={mechanism}", f"--sasl.username={external.user}"]
        args.append(f"@{_SECRETS}/kafka/exporter.args")
    return Connection(args=args, secrets=settings.kafka.client_secrets())


def backup_connection(settings: Settings) -> Connection:
    """The operations program with its settings; in AWS it has a role that only reads."""
    arguments = ["backups", "metrics", f"--listen={exporters.BACKUP_EXPORTER.port}"]
    mounts = (pods.config_files("config", CONFIG_MAP, CONFIG_DIRECTORY), pods.temporary())
    credentials = settings.aws.credentials_secret
    if credentials is None:
        return Connection(arguments, mounts=mounts)
    environment = {"AWS_SHARED_CREDENTIALS_FILE": f"{_SECRETS}/aws/credentials"}
    return Connection(arguments, environment, {"aws": credentials}, mounts)


_CONNECTIONS: Final[dict[str, Callable[[Settings], Connection]]] = {
    exporters.POSTGRES_EXPORTER.name: postgres_connection,
    exporters.REDIS_EXPORTER.name: redis_connection,
    exporters.KAFKA_EXPORTER.name: kafka_connection,
    exporters.BACKUP_EXPORTER.name: backup_connection,
}


def workload_args(spec: ExporterSpec, context: Context) -> WorkloadArgs:
    """One pod: a second one would report everything twice.

    Its probes ask nothing of the datastore: an exporter whose datastore is away must stay and say so.
    """
    connection = _CONNECTIONS[spec.name](context.settings)
    secrets = [pods.secret_files(name, secret, f"{_SECRETS}/{name}") for name, secret in connection.secrets.items()]
    mounts = [*connection.mounts, *secrets]
    container = core.v1.ContainerArgs(
        name=spec.name,
        image=context.settings.image(spec.image_name),
        args=list(connection.args) or None,
        env=pods.environment(connection.environment) or None,
        ports=[core.v1.ContainerPortArgs(name=PORT_NAME, container_port=spec.port)],
        resources=pods.requirements(capacity.exporter_resources(spec)),
        security_context=pods.container_security(),
        startup_probe=pods.tcp_probe(PORT_NAME, period=2, failures=30),
        readiness_probe=pods.http_probe(spec.health_path, PORT_NAME, period=10, failures=3),
        liveness_probe=pods.tcp_probe(PORT_NAME, period=30, failures=6),
        volume_mounts=[mount.mount for mount in mounts],
    )
    pod = pods.PodArgs(
        name=spec.name,
        component="exporter",
        section=spec.section,
        user_id=spec.user_id,
        containers=[container],
        mounts=mounts,
        grace_seconds=5,
    )
    return WorkloadArgs(pod=pod, replicas=1, port=spec.port, port_name=PORT_NAME)


class Exporter(Workload):
    """An exporter."""

    def __init__(
        self,
        name: str,
        spec: ExporterSpec,
        context: Context,
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
        role_arn: pulumi.Input[str] | None = None,
    ) -> None:
        arguments = workload_args(spec, context)
        super().__init__("crypto:monitoring:Exporter", name, arguments, context, {}, depends_on, opts, role_arn)
