"""The exporters of the datastores: what makes their state visible to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook.datastores import KAFKA, POSTGRES, REDIS, DatastoreSpec
from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class ExporterSpec:
    """An exporter: workload, Service and image ``name``, its port, whose state it shows, its image's numeric user.

    ``health_path`` answers without asking the datastore.
    """

    name: str
    port: int
    datastore: DatastoreSpec
    user_id: int
    health_path: str
    section: Section


POSTGRES_EXPORTER: Final = ExporterSpec("postgres-exporter", 9187, POSTGRES, 65534, "/", Section.CONNECTION_POOL)
REDIS_EXPORTER: Final = ExporterSpec("redis-exporter", 9121, REDIS, 65534, "/health", Section.REDIS_MEMORY)
KAFKA_EXPORTER: Final = ExporterSpec("kafka-exporter", 9308, KAFKA, 65534, "/healthz", Section.KAFKA_LAG)

ALL: Final = (POSTGRES_EXPORTER, REDIS_EXPORTER, KAFKA_EXPORTER)
PORT_NAME: Final = "metrics"
