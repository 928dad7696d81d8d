"""Who stays when a node is full: the datastores before the services, the services before the jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Priority:
    """A PriorityClass. ``component`` is the label of the pods that have it; a greater ``value`` stays longer."""

    component: str
    value: int
    meaning: str


DATASTORE: Final = Priority("datastore", 1_000_000, "holds data; everything else needs it")
SERVICE: Final = Priority("service", 900_000, "answers users")
MONITORING: Final = Priority("exporter", 800_000, "makes the datastores visible")
OPERATIONS: Final = Priority("operations", 700_000, "runs later where there is no room now")

ALL: Final = (DATASTORE, SERVICE, MONITORING, OPERATIONS)
BY_COMPONENT: Final = {priority.component: priority for priority in ALL}


def class_name(component: str, namespace: str) -> str:
    """Name of the PriorityClass: it has no namespace, and two systems in one cluster must not share one."""
    return f"{namespace}-{BY_COMPONENT[component].component}"
