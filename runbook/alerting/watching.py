"""Alerts on the watching itself: targets that do not answer, metrics that are gone, a sign of life (section 2.2)."""

from __future__ import annotations

from typing import Final

from runbook.alerting.jobs import DAILY_BACKUPS
from runbook.alerting.model import NAMESPACE, Absence, Alert, State, Team
from runbook.sections import Section
from runbook.severities import P3, P4

# A comparison with a metric that nobody exports is false for ever. Not listed is what is absent while all is well: the
# failures of jobs, waiting reasons, and what another alert asks for by itself.
ABSENCES: Final = (
    Absence("http_requests_total"),
    Absence("http_request_duration_seconds_bucket"),
    Absence("container_memory_working_set_bytes"),
    Absence("kube_horizontalpodautoscaler_status_current_replicas"),
    Absence("kube_horizontalpodautoscaler_spec_min_replicas"),
    Absence("kube_horizontalpodautoscaler_spec_max_replicas"),
    *(Absence("kube_cronjob_created", f'namespace="{NAMESPACE}", cronjob="{name}"') for name in DAILY_BACKUPS),
    Absence("kubelet_volume_stats_used_bytes"),
    Absence("kubelet_volume_stats_available_bytes"),
    Absence("node_cpu_seconds_total", 'mode="idle"'),
    Absence("node_memory_MemAvailable_bytes", ""),
    Absence("node_memory_MemTotal_bytes", ""),
    Absence("certmanager_certificate_expiration_timestamp_seconds", ""),
    Absence("pg_up"),
    Absence("pg_stat_activity_count"),
    Absence("pg_settings_max_connections"),
    Absence("pg_settings_superuser_reserved_connections"),
    Absence("redis_up"),
    Absence("redis_memory_used_bytes"),
    Absence("redis_memory_max_bytes"),
    Absence("kafka_topic_partition_under_replicated_partition"),
)

TARGET_DOWN: Final = Alert(
    "TargetDown",
    State(f'up{{namespace="{NAMESPACE}"}} == 0'),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.HEALTH_CHECK,
    "{{ $labels.instance }} of {{ $labels.job }} does not answer Prometheus",
    "Prometheus cannot read {{ $labels.instance }} of {{ $labels.job }}: alerts on it are blind.",
    diagnosis=("ops health", "kubectl get pods -l app={{ $labels.job }}", "kubectl get servicemonitors"),
    remedies=("ops restart {{ $labels.job }}",),
)
METRIC_MISSING: Final = Alert(
    "AlertMetricMissing",
    State(" or ".join(absence.query for absence in ABSENCES)),
    10 * 60,
    P3,
    Team.PLATFORM,
    Section.INCIDENT_PROCESS,
    "Nobody exports {{ $labels.metric }}",
    "Alerts compare {{ $labels.metric }} with their limits, and no target has it: they cannot fire.",
    diagnosis=("ops health", "kubectl get servicemonitors", "ops diagnose prometheus"),
)
WATCHDOG: Final = Alert(
    "Watchdog",
    State("vector(1)"),
    0,
    P4,
    Team.PLATFORM,
    Section.INCIDENT_PROCESS,
    "The alerting works",
    "This alert always fires. Whoever expects it raises the alarm when it stops: then no alert arrives any more.",
    diagnosis=("ops health", "ops diagnose prometheus"),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
