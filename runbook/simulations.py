"""The incidents that can be simulated on the embedded environment, and the alert that each must raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook.alerting import datastores, infrastructure, jobs, services, watching
from runbook.alerting.model import Alert

# The StorageClass of the embedded cluster has this provisioner, and that of no other cluster has: so a simulation knows
# where it is.
EMBEDDED_STORAGE_CLASS: Final = "standard"
EMBEDDED_PROVISIONER: Final = "crypto-operations.local/folder"


@dataclass(frozen=True, slots=True)
class Simulation:
    """An incident by its ``name``; ``labels`` tell its alert from others of the same name."""

    name: str
    alert: Alert
    meaning: str
    labels: tuple[tuple[str, str], ...] = ()


ALL: Final[tuple[Simulation, ...]] = (
    Simulation("errors", services.API_GATEWAY_ERRORS, "half of the API's requests fail"),
    Simulation("latency", services.API_GATEWAY_LATENCY, "each request to the API takes half a second longer"),
    Simulation("pool", datastores.CONNECTIONS, "somebody opens most of PostgreSQL's connections"),
    Simulation("redis-memory", datastores.REDIS_MEMORY, "Redis is filled up"),
    Simulation("kafka-lag", datastores.CONSUMER_LAG, "nobody reads the price updates, and there are many"),
    Simulation("crash-loop", services.SENTIMENT_MODEL, "a new sentiment pod cannot load its model"),
    Simulation("memory", services.SERVICE_MEMORY, "a pod of the user service keeps 1.1 GB"),
    Simulation(
        "disk",
        infrastructure.DISK_USAGE,
        "an exporter says that a volume is full: the folders of this environment share the machine's disk",
        (("persistentvolumeclaim", "simulated"),),
    ),
    Simulation("backup-failure", jobs.JOB_FAILED, "a run of backup-postgres fails", (("cronjob", "backup-postgres"),)),
    Simulation("job-failure", jobs.JOB_FAILED, "a run of incident-review fails", (("cronjob", "incident-review"),)),
    Simulation(
        "target-down",
        watching.TARGET_DOWN,
        "the pods of the sentiment service cannot be read: their Service leads to a closed port",
        (("job", "sentiment"),),
    ),
)
BY_NAME: Final = {simulation.name: simulation for simulation in ALL}
