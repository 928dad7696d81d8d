"""Kafka in KRaft mode: every broker is a controller as well (section 3.4)."""

from __future__ import annotations

import base64
import uuid
from typing import Final

import pulumi
from pulumi_kubernetes import core

from components import pods
from components.context import Context
from components.stateful import StatefulArgs, StatefulDatastore, container, data_mount, headless_name
from runbook import datastores, thresholds
from runbook.sections import Section
from runbook.settings import KafkaSettings
from runbook.units import to_bytes

_DATA: Final = "/var/lib/kafka/data"


def cluster_id(domain: str, namespace: str) -> str:
    """The cluster's id, always the same for the same installation: a broker refuses a volume of another cluster."""
    return base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}.{domain}").bytes).decode().rstrip("=")


def kafka_environment(settings: KafkaSettings, namespace: str, domain: str) -> dict[str, str]:
    """Settings of a broker as the image reads them, without what differs from pod to pod."""
    hosts = [f"kafka-{index}.{headless_name(datastores.KAFKA)}.{namespace}.svc" for index in range(settings.brokers)]
    voters = ",".join(f"{index}@{host}:{datastores.KAFKA_CONTROLLER_PORT}" for index, host in enumerate(hosts))
    copies = min(3, settings.brokers)
    heap = to_bytes(settings.heap) // 2**20
    return {
        "CLUSTER_ID": cluster_id(domain, namespace),
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": voters,
        "KAFKA_LISTENERS": ",".join(f"{name}://:{port}" for name, port in _listeners(settings).items()),
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": ",".join(f"{name}:PLAINTEXT" for name in _listeners(settings)),
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_LOG_DIRS": _DATA,
        "KAFKA_NUM_PARTITIONS": str(thresholds.KAFKA_PARTITIONS.count),
        "KAFKA_DEFAULT_REPLICATION_FACTOR": str(copies),
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": str(copies),
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": str(copies),
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": str(max(1, copies - 1)),
        "KAFKA_MIN_INSYNC_REPLICAS": str(max(1, copies - 1)),
        "KAFKA_HEAP_OPTS": f"-Xms{heap}m -Xmx{heap}m",
    }


def _listeners(settings: KafkaSettings) -> dict[str, int]:
    external = {"EXTERNAL": datastores.KAFKA_EXTERNAL_PORT} if settings.outside_listener else {}
    return {"PLAINTEXT": datastores.KAFKA.port, "CONTROLLER": datastores.KAFKA_CONTROLLER_PORT, **external}


def _pod_environment(settings: KafkaSettings, namespace: str) -> list[core.v1.EnvVarArgs]:
    def field(name: str, path: str) -> core.v1.EnvVarArgs:
        source = core.v1.EnvVarSourceArgs(field_ref=core.v1.ObjectFieldSelectorArgs(field_path=path))
        return core.v1.EnvVarArgs(name=name, value_from=source)

    host = f"$(POD_NAME).{headless_name(datastores.KAFKA)}.{namespace}.svc"
    external = [f"EXTERNAL://$(POD_IP):{datastores.KAFKA_EXTERNAL_PORT}"] if settings.outside_listener else []
    advertised = ",".join([f"PLAINTEXT://{host}:{datastores.KAFKA.port}", *external])
    return [
        field("POD_NAME", "metadata.name"),
        field("POD_IP", "status.podIP"),
        field("KAFKA_NODE_ID", "metadata.labels['apps.kubernetes.io/pod-index']"),
        core.v1.EnvVarArgs(name="KAFKA_ADVERTISED_LISTENERS", value=advertised),
    ]


def _outside_ports(settings: KafkaSettings) -> dict[str, int]:
    return {datastores.KAFKA_EXTERNAL_NAME: datastores.KAFKA_EXTERNAL_PORT} if settings.outside_listener else {}


def kafka_args(context: Context) -> StatefulArgs:
    """The StatefulSet's arguments; all brokers start at once, because a quorum needs them all."""
    settings, spec, namespace = context.settings.kafka, datastores.KAFKA, context.settings.namespace
    values = kafka_environment(settings, namespace, context.settings.domain)
    mounts = [
        pods.scratch("config", "/opt/kafka/config"),
        pods.scratch("logs", "/opt/kafka/logs", "256Mi"),
        pods.temporary(),
    ]
    pod = container(
        spec,
        context.settings.image("kafka"),
        settings.resources,
        env=[*_pod_environment(settings, namespace), *pods.environment(values)],
        mounts=[data_mount(_DATA), *(mount.mount for mount in mounts)],
        startup=pods.tcp_probe(spec.name, period=5, failures=60),
        readiness=pods.tcp_probe(spec.name, period=10, failures=3),
        liveness=pods.tcp_probe(spec.name, period=30, failures=6, timeout=10),
    )
    return StatefulArgs(
        spec=spec,
        section=Section.KAFKA_LAG,
        replicas=settings.brokers,
        container=pod,
        mounts=mounts,
        config=values,
        volume_size=settings.volume_size,
        # A broker hands over its partitions before it goes.
        grace_seconds=120,
        parallel=True,
        more_ports=_outside_ports(settings),
    )


class Kafka(StatefulDatastore):
    """Kafka."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:datastore:Kafka", name, kafka_args(context), context, {}, opts)
