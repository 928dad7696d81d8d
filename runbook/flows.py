"""Who talks to whom: every connection that the system needs, and no other is open.

The network policies are made from this table, and so are the page and the diagram in docs/network.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from runbook import database_roles, datastores, endpoints, exporters, jobs, maintenance, services
from runbook.jobs import Job, Need
from runbook.settings import Settings

HTTPS: Final = 443
MAINTENANCE: Final = maintenance.PAGE
MAINTENANCE_PORT: Final = 8080
_CONTROLLER_PORT: Final = datastores.KAFKA_CONTROLLER_PORT


class Outside(Enum):
    """A party outside the namespace; its value is its name for people."""

    INGRESS = "ingress controller"
    PROMETHEUS = "Prometheus"
    API_SERVER = "Kubernetes API"
    AWS = "AWS"
    MAIL = "mail server"
    CHAT = "Slack"
    POSTGRES = "PostgreSQL outside"
    REDIS = "Redis outside"
    KAFKA = "Kafka outside"


Party = str | Outside


@dataclass(frozen=True, slots=True)
class Flow:
    """``source`` opens TCP connections to ``ports`` of ``target``. A name is the label ``app`` of the pods."""

    source: Party
    target: Party
    ports: tuple[int, ...]
    why: str


def flows(settings: Settings) -> tuple[Flow, ...]:
    """Every flow of a stack. DNS is not among them: every pod may ask it."""
    return (
        *_from_users(),
        *_between_services(),
        *_to_datastores(settings),
        *_of_kafka(settings),
        *_of_monitoring(settings),
        *(flow for job in jobs.ALL for flow in _of_job(job, settings)),
    )


def parties(settings: Settings) -> tuple[str, ...]:
    """The pods that take part, by their label ``app``, in the order of the table."""
    names = (party for flow in flows(settings) for party in (flow.source, flow.target) if isinstance(party, str))
    return tuple(dict.fromkeys(names))


def _from_users() -> Iterator[Flow]:
    yield Flow(Outside.INGRESS, services.API_GATEWAY.name, (services.API_GATEWAY.port,), "requests of users")
    yield Flow(Outside.INGRESS, MAINTENANCE, (MAINTENANCE_PORT,), "the maintenance page")


def _between_services() -> Iterator[Flow]:
    for spec in services.ALL:
        for name in spec.calls:
            yield Flow(spec.name, name, (services.BY_NAME[name].port,), "requests")


def _to_datastores(settings: Settings) -> Iterator[Flow]:
    for spec in services.ALL:
        for store in spec.uses:
            yield _to_datastore(spec.name, store, settings, "data")
    yield _to_datastore(datastores.PGBOUNCER.name, datastores.POSTGRES, settings, "shared connections")
    if settings.postgres.set_up:
        yield _to_datastore(database_roles.SETUP_JOB, datastores.POSTGRES, settings, "roles and migrations")


def _to_datastore(source: str, store: datastores.DatastoreSpec, settings: Settings, why: str) -> Flow:
    outside = {
        datastores.POSTGRES.name: (settings.postgres.external, Outside.POSTGRES),
        datastores.REDIS.name: (settings.redis.external, Outside.REDIS),
        datastores.KAFKA.name: (settings.kafka.external, Outside.KAFKA),
    }
    external, party = outside.get(store.name, (None, Outside.POSTGRES))
    if external is None:
        return Flow(source, store.name, (store.port,), why)
    return Flow(source, party, _ports_of(store, settings), why)


def _ports_of(store: datastores.DatastoreSpec, settings: Settings) -> tuple[int, ...]:
    if store is datastores.KAFKA:
        return tuple(sorted({broker.port for broker in endpoints.kafka(settings)}))
    server = endpoints.postgres(settings) if store is datastores.POSTGRES else endpoints.redis(settings)
    return (server.port,)


def _of_kafka(settings: Settings) -> Iterator[Flow]:
    if settings.kafka.external is None:
        name = datastores.KAFKA.name
        yield Flow(name, name, (datastores.KAFKA.port, _CONTROLLER_PORT), "brokers among themselves")


def _of_monitoring(settings: Settings) -> Iterator[Flow]:
    for spec in services.ALL:
        yield Flow(Outside.PROMETHEUS, spec.name, (spec.port,), "metrics")
    for exporter in exporters.ALL:
        yield Flow(Outside.PROMETHEUS, exporter.name, (exporter.port,), "metrics")
        if exporter.datastore is None:
            yield _to_bucket(exporter.name, settings)
        else:
            yield _to_datastore(exporter.name, exporter.datastore, settings, "state")


def _of_job(job: Job, settings: Settings) -> Iterator[Flow]:
    if job.rights or Need.JWT_SECRET in job.needs:
        yield Flow(job.name, Outside.API_SERVER, settings.network.api_server_ports, "its Role")
    for need in sorted(job.needs, key=lambda item: item.value):
        yield from _of_need(job.name, need, settings)


def _of_need(name: str, need: Need, settings: Settings) -> Iterator[Flow]:
    match need:
        case Need.POSTGRES_BACKUP | Need.POSTGRES_MAINTENANCE | Need.POSTGRES_REAPER:
            yield _to_datastore(name, datastores.POSTGRES, settings, "a session of its own")
        case Need.REDIS:
            yield _to_datastore(name, datastores.REDIS, settings, "data")
        case Need.KAFKA:
            yield _to_datastore(name, datastores.KAFKA, settings, "offsets")
        case Need.SERVICES:
            for spec in services.ALL:
                yield Flow(name, spec.name, (spec.port,), "health")
        case Need.BUCKET:
            yield _to_bucket(name, settings)
        case Need.PROMETHEUS:
            yield Flow(name, Outside.PROMETHEUS, (_port(settings.monitoring.prometheus_url),), "queries")
        case Need.NOTIFY:
            yield from _of_notification(name, settings)
        case Need.DECRYPTION | Need.SIGNING | Need.JWT_SECRET | Need.SCRATCH:
            return


def _to_bucket(name: str, settings: Settings) -> Flow:
    return Flow(name, Outside.AWS, (_port(settings.aws.endpoint or ""),), "bucket")


def _of_notification(name: str, settings: Settings) -> Iterator[Flow]:
    sinks = settings.notifications
    if sinks.mail is not None:
        yield Flow(name, Outside.MAIL, (sinks.mail.port,), "reports")
    if sinks.slack_secret is not None:
        yield Flow(name, Outside.CHAT, (HTTPS,), "reports")


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (80 if parts.scheme == "http" else HTTPS)
