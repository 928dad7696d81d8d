"""The exporters: what makes the state of the datastores and of the backups visible to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook.datastores import KAFKA, POSTGRES, REDIS, DatastoreSpec
from runbook.sections import Section


@dataclass(frozen=True, slots=True)
class ExporterSpec:
    """An exporter: workload and Service ``name``, its port, whose state it shows, its image's numeric user.

    ``datastore`` None: the bucket of the backups. ``health_path`` answers without asking either. ``image`` is called
    like the exporter where nothing else is said.
    """

    name: str
    port: int
    datastore: DatastoreSpec | None
    user_id: int
    health_path: str
    section: Section
    image: str | None = None

    @property
    def image_name(self) -> str:
        """Name of its image."""
        return self.image or self.name


POSTGRES_EXPORTER: Final = ExporterSpec("postgres-exporter", 9187, POSTGRES, 65534, "/", Section.CONNECTION_POOL)
REDIS_EXPORTER: Final = ExporterSpec("redis-exporter", 9121, REDIS, 65534, "/health", Section.REDIS_MEMORY)
KAFKA_EXPORTER: Final = ExporterSpec("kafka-exporter", 9308, KAFKA, 65534, "/healthz", Section.KAFKA_LAG)
# How old what restores is (RPO) and how long that took (RTO), read from the bucket: a job that pushes can be wrong.
BACKUP_EXPORTER: Final = ExporterSpec(
    "backup-exporter", 9116, None, 65532, "/healthz", Section.DATABASE_RECOVERY, "ops"
)

ALL: Final = (POSTGRES_EXPORTER, REDIS_EXPORTER, KAFKA_EXPORTER, BACKUP_EXPORTER)
PORT_NAME: Final = "metrics"
