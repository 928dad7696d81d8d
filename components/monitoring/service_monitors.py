"""ServiceMonitors: what Prometheus asks for metrics, and under which job it keeps them (sections 1.1 and 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from components.context import Context
from components.labels import selector
from components.monitoring.custom_resource import Manifest, selected_metadata
from runbook import services
from runbook.alerting.durations import SCRAPE_SECONDS
from runbook.sections import Section
from runbook.units import prometheus_duration

EXPORTERS: Final = ("postgres-exporter", "redis-exporter", "kafka-exporter", "backup-exporter")
_TIMEOUT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Target:
    """The Service ``service``, whose port ``port`` has /metrics; ``job`` is the runbook's name in ``up{job=...}``."""

    job: str
    service: str
    port: str


TARGETS: Final = (
    *(Target(spec.name, spec.service_name, "http") for spec in services.ALL),
    *(Target(name, name, "metrics") for name in EXPORTERS),
)


def monitor_spec(target: Target, namespace: str) -> dict[str, Any]:
    """One endpoint. The job's name is written over: the operator's own is the Service's, as in analytics-service."""
    return {
        "selector": {"matchLabels": selector(target.service)},
        "namespaceSelector": {"matchNames": [namespace]},
        "endpoints": [
            {
                "port": target.port,
                "path": "/metrics",
                "interval": prometheus_duration(SCRAPE_SECONDS),
                "scrapeTimeout": prometheus_duration(_TIMEOUT_SECONDS),
                "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": target.job}],
            }
        ],
    }


def service_monitor(target: Target, context: Context) -> Manifest:
    """The ServiceMonitor of a target."""
    return Manifest(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        selected_metadata(target.job, Section.INCIDENT_PROCESS, context),
        monitor_spec(target, context.settings.namespace),
    )
