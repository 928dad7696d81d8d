"""What the system asks for when everything runs at its peak: what the namespace's quota must fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from runbook import database_roles, exporters, jobs, units
from runbook.settings import Resources, Settings

# A rollout runs one pod more of a workload before it ends another.
SURGE: Final = 1
# Room for a person's debugging pod and for two jobs that are caught up at once.
HEADROOM: Final = Decimal("1.1")
MAINTENANCE_PODS: Final = 2
EXPORTER_RESOURCES: Final = Resources(cpu_request="20m", memory_request="32Mi", memory_limit="128Mi")
MAINTENANCE_RESOURCES: Final = Resources(cpu_request="10m", memory_request="16Mi", memory_limit="64Mi")
JOB_RESOURCES: Final = Resources(cpu_request="50m", memory_request="128Mi", memory_limit="256Mi")


@dataclass(frozen=True, slots=True)
class Load:
    """``pods`` pods of a workload, each with these resources and a volume of ``volume_bytes`` (0: none).

    A ``sidecar`` has no pod of its own.
    """

    workload: str
    pods: int
    resources: Resources
    volume_bytes: int = 0
    sidecar: bool = False


@dataclass(frozen=True, slots=True)
class Capacity:
    """A sum: cores, bytes and numbers of objects."""

    cpu_request: Decimal
    memory_request: int
    memory_limit: int
    pods: int
    volumes: int
    storage: int


def loads(settings: Settings) -> Iterator[Load]:
    """Every workload at its peak, rollouts and jobs included."""
    for name, service in settings.services.items():
        yield Load(name, service.replicas_peak + SURGE, service.resources)
    if settings.postgres.set_up:
        yield Load(database_roles.SETUP_JOB, 1, JOB_RESOURCES)
    yield Load("pgbouncer", settings.pgbouncer.replicas + SURGE, settings.pgbouncer.resources)
    yield from _datastores(settings)
    for exporter in exporters.ALL:
        yield Load(exporter.name, 1 + SURGE, exporter_resources(exporter))
    yield Load("maintenance", MAINTENANCE_PODS + SURGE, MAINTENANCE_RESOURCES)
    for job in jobs.ALL:
        yield Load(job.name, 1, job_resources(job, settings))
        if jobs.Need.SCRATCH in job.needs:
            size = units.to_bytes(settings.postgres.volume_size)
            yield Load(f"{job.name}-postgres", 1, scratch_postgres(settings), size, sidecar=True)
            yield Load(f"{job.name}-redis", 1, scratch_redis(settings), sidecar=True)


def exporter_resources(spec: exporters.ExporterSpec) -> Resources:
    """What an exporter may use; that of the backups is the operations program."""
    return EXPORTER_RESOURCES if spec.datastore is not None else JOB_RESOURCES


def job_resources(job: jobs.Job, settings: Settings) -> Resources:
    """What a run of the job may use: one that streams whole datastores gets the backups' resources."""
    return settings.backup.resources if job.large else JOB_RESOURCES


def scratch_postgres(settings: Settings) -> Resources:
    """What a throwaway PostgreSQL may use: it serves one restore and never more."""
    return settings.backup.resources


def scratch_redis(settings: Settings) -> Resources:
    """What a throwaway Redis may use: it holds all that the production's holds."""
    return settings.redis.resources


def peak(settings: Settings) -> Capacity:
    """The sum of all loads, without headroom."""
    return total(loads(settings))


def total(items: Iterable[Load]) -> Capacity:
    """The sum of loads."""
    known = tuple(items)
    return Capacity(
        cpu_request=sum((load.pods * units.quantity(load.resources.cpu_request) for load in known), Decimal()),
        memory_request=sum(load.pods * units.to_bytes(load.resources.memory_request) for load in known),
        memory_limit=sum(load.pods * units.to_bytes(load.resources.memory_limit) for load in known),
        pods=sum(load.pods for load in known if not load.sidecar),
        volumes=sum(load.pods for load in known if load.volume_bytes),
        storage=sum(load.pods * load.volume_bytes for load in known),
    )


def _datastores(settings: Settings) -> Iterator[Load]:
    if settings.postgres.external is None:
        store = settings.postgres
        yield Load("postgres", 1, store.resources, units.to_bytes(store.volume_size))
    if settings.redis.external is None:
        cache = settings.redis
        yield Load("redis", 1, cache.resources, units.to_bytes(cache.volume_size))
    if settings.kafka.external is None:
        bus = settings.kafka
        yield Load("kafka", bus.brokers, bus.resources, units.to_bytes(bus.volume_size))
