"""The datastores of the system: names, ports and what is fixed about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class DatastoreSpec:
    """A datastore: workload and Service ``name``, its port, and the numeric user that its image runs as."""

    name: str
    port: int
    user_id: int

    @property
    def address(self) -> str:
        """Host and port inside the namespace."""
        return f"{self.name}:{self.port}"


POSTGRES: Final = DatastoreSpec("postgres", 5432, 999)
PGBOUNCER: Final = DatastoreSpec("pgbouncer", 6432, 70)
REDIS: Final = DatastoreSpec("redis", 6379, 999)
KAFKA: Final = DatastoreSpec("kafka", 9092, 1000)

KAFKA_CONTROLLER_PORT: Final = 9093
# A client outside the cluster's DNS asks here and is sent to the brokers' addresses instead of their names.
KAFKA_EXTERNAL_PORT: Final = 9094
KAFKA_EXTERNAL_NAME: Final = "external"
# How MSK asks for a password, and the stronger one of the two that store none.
KAFKA_MECHANISM: Final = "SCRAM-SHA-512"

DATABASE: Final = "crypto_db"
# Who logs in, by the name that each has unless the settings say another; runbook/database_roles.py says what it may do.
DATABASE_OWNER: Final = "crypto_owner"
SERVICES_ROLE: Final = "crypto_user"
MAINTENANCE_ROLE: Final = "crypto_maintenance"
REAPER_ROLE: Final = "crypto_reaper"
# Reads everything and changes nothing: a backup job that is taken over cannot destroy what it saves.
BACKUP_ROLE: Final = "crypto_backup"
# Sees what the server does and nothing of what is in it.
MONITORING_ROLE: Final = "crypto_monitor"


def kafka_protocol(*, login: bool, tls: bool) -> str:
    """What a client of Kafka speaks, in Kafka's words: ``SASL_SSL`` with a login over TLS."""
    carrier = "SSL" if tls else "PLAINTEXT"
    return f"SASL_{carrier}" if login else carrier
