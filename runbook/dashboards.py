"""The dashboards of section 1.2 as data: what each panel asks and which limit it shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from runbook import services, thresholds
from runbook.alerting import datastores, infrastructure, jobs, objectives, recordings, watching
from runbook.alerting import services as service_alerts
from runbook.alerting.model import NAMESPACE, WINDOW, Alert, Comparison, Limit
from runbook.sections import Section
from runbook.thresholds import Threshold

_HERE: Final = f'namespace="{NAMESPACE}"'


class Display(StrEnum):
    """How Grafana writes a value, by Grafana's own names."""

    RATIO = "percentunit"
    SECONDS = "s"
    BYTES = "bytes"
    COUNT = "short"
    PER_SECOND = "cps"


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph over time; ``legend`` names the label that tells its lines apart.

    ``limit`` is drawn as a line, beyond which it is bad: above, or below where what is measured ``falls``.
    """

    title: str
    query: str
    display: Display
    legend: str
    limit: Threshold | None = None
    window_seconds: int = 0
    falls: bool = False
    may_be_negative: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard; ``name`` is part of its address and never changes."""

    name: str
    title: str
    section: Section
    panels: tuple[Panel, ...]


def _of_alert(alert: Alert, title: str, display: Display, legend: str) -> Panel:
    """What the alert compares, with the limit that it compares with."""
    limit = alert.condition
    if not isinstance(limit, Limit):
        raise TypeError(f"alert {alert.name} compares nothing with a limit")
    falls = limit.comparison is Comparison.BELOW
    return Panel(title, limit.query, display, legend, limit.threshold, alert.window_seconds, falls)


def _rate(metric: str, title: str) -> Panel:
    query = f"sum by (job) (rate({metric}{{{_HERE}}}[{WINDOW}]))"
    return Panel(title, query, Display.PER_SECOND, "job", window_seconds=recordings.RATE_SECONDS)


API_GATEWAY: Final = Dashboard(
    "api-gateway",
    "API Gateway",
    Section.DASHBOARD_CHECK,
    (
        _of_alert(service_alerts.API_GATEWAY_LATENCY, "Response time, 95th percentile", Display.SECONDS, "job"),
        _of_alert(service_alerts.API_GATEWAY_ERRORS, "Failed requests", Display.RATIO, "job"),
        Panel(
            "Failed requests against the objective",
            f'{recordings.ERROR_RATIO.name}{{{_HERE}, job="{services.API_GATEWAY.name}"}}',
            Display.RATIO,
            "job",
            thresholds.SLO_ERROR_RATIO,
        ),
        Panel("Requests", f"{recordings.REQUESTS.name}{{{_HERE}}}", Display.PER_SECOND, "job"),
        Panel("Failed requests by service", f"{recordings.ERROR_RATIO.name}{{{_HERE}}}", Display.RATIO, "job"),
        Panel(
            "Response time by service, 95th percentile", f"{recordings.LATENCY.name}{{{_HERE}}}", Display.SECONDS, "job"
        ),
    ),
)
INFRASTRUCTURE: Final = Dashboard(
    "infrastructure",
    "Infrastructure",
    Section.DASHBOARD_CHECK,
    (
        _of_alert(infrastructure.NODE_CPU, "CPU of nodes", Display.RATIO, "instance"),
        _of_alert(infrastructure.NODE_MEMORY, "Memory of nodes", Display.RATIO, "instance"),
        _of_alert(infrastructure.DISK_USAGE, "Volumes in use", Display.RATIO, "persistentvolumeclaim"),
        _of_alert(service_alerts.SERVICE_MEMORY, "Memory of services", Display.BYTES, "pod"),
        Panel(
            "Pods by autoscaler",
            f"max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_current_replicas{{{_HERE}}})",
            Display.COUNT,
            "horizontalpodautoscaler",
        ),
        Panel("Targets that answer", f"sum by (job) (up{{{_HERE}}})", Display.COUNT, "job"),
        _of_alert(infrastructure.CERTIFICATE, "Time left of certificates", Display.SECONDS, "name"),
    ),
)
DATASTORES: Final = Dashboard(
    "datastores",
    "Datastores",
    Section.CONNECTION_POOL,
    (
        _of_alert(datastores.CONNECTIONS, "Connections of PostgreSQL in use", Display.RATIO, "namespace"),
        Panel(
            "Connections by application",
            f"sum by (application_name) (pg_stat_activity_count{{{_HERE}}})",
            Display.COUNT,
            "application_name",
        ),
        _of_alert(datastores.REDIS_MEMORY, "Memory of Redis in use", Display.RATIO, "instance"),
        _of_alert(datastores.CONSUMER_LAG, "Messages that consumers are behind", Display.COUNT, "consumergroup"),
        Panel(
            "Members of consumer groups",
            f"sum by (consumergroup) (kafka_consumergroup_members{{{_HERE}}})",
            Display.COUNT,
            "consumergroup",
        ),
        Panel(
            "Partitions that lack a replica",
            f"sum by (topic) (kafka_topic_partition_under_replicated_partition{{{_HERE}}})",
            Display.COUNT,
            "topic",
        ),
    ),
)
BUSINESS: Final = Dashboard(
    "business",
    "Business Metrics",
    Section.DASHBOARD_CHECK,
    (
        _rate("prices_updated_total", "Prices updated"),
        _rate("sentiment_processed_total", "Sentiment processed"),
        _rate("analytics_messages_processed_total", "Price updates analysed"),
        _rate("users_registered_total", "Users registered"),
    ),
)
BACKUPS: Final = Dashboard(
    "backups",
    "Backups",
    Section.DATABASE_BACKUP,
    (
        _of_alert(jobs.BACKUP_STALE, "Age of the last good backup", Display.SECONDS, "cronjob"),
        _of_alert(jobs.PROOF_STALE, "Age of the last proof", Display.SECONDS, "cronjob"),
        _of_alert(jobs.RECOVERY_POINT_OLD, "Age of what can be restored (RPO)", Display.SECONDS, "kind"),
        Panel(
            "Time of the last restore (RTO)",
            "max by (kind) (crypto_backup_restore_seconds{" + _HERE + "})",
            Display.SECONDS,
            "kind",
        ),
        Panel(
            "Failed runs that are kept",
            "sum by (owner_name) (kube_job_owner{" + _HERE + ', owner_kind="CronJob"} * on (job_name) group_left () '
            "max by (job_name) (kube_job_failed{" + _HERE + ', condition="true"}))',
            Display.COUNT,
            "owner_name",
        ),
    ),
)

SERVICE_LEVELS: Final = Dashboard(
    "service-levels",
    "Service Levels",
    Section.DASHBOARD_CHECK,
    (
        *(
            Panel(
                f"What is left of the budget of requests that {what}",
                f"{level.budget.name}{{{_HERE}}}",
                Display.RATIO,
                "job",
                may_be_negative=True,
            )
            for level, what in ((objectives.AVAILABILITY, "may fail"), (objectives.LATENCY, "may be slow"))
        ),
        *(
            _of_alert(alert, f"Requests that {what}, over {window}", Display.RATIO, "job")
            for alert, what, window in (
                (objectives.ERROR_BURN_1H, "fail", "1 hour"),
                (objectives.LATENCY_BURN_1H, "are slow", "1 hour"),
                (objectives.ERROR_BURN_3D, "fail", "3 days"),
                (objectives.LATENCY_BURN_3D, "are slow", "3 days"),
            )
        ),
    ),
)
# Drawn into each dashboard: when which alert fired.
ALERTS_FIRED: Final = f'ALERTS{{{_HERE}, alertstate="firing", alertname!="{watching.WATCHDOG.name}"}}'

ALL: Final[tuple[Dashboard, ...]] = tuple(value for value in globals().values() if isinstance(value, Dashboard))
