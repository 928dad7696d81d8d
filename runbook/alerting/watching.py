"""Alerts on the watching itself: targets that do not answer, metrics that are gone, a sign of life (section 2.2)."""

from __future__ import annotations

from typing import Final

from runbook.alerting.jobs import DAILY_BACKUPS
from runbook.alerting.model import NAMESPACE, WINDOW, Absence, Alert, State, Team, kubectl
from runbook.jobs import RESTORE_DRILL
from runbook.sections import Section
from runbook.severities import P2, P3, P4

# The file and the group of a rule: the file's name begins with the namespace and the name of the PrometheusRule.
OUR_RULES: Final = 'rule_group=~".*;crypto-.*"'
_WINDOW_SECONDS: Final = 5 * 60

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
    Absence("crypto_backup_bucket_up"),
    Absence("kubelet_volume_stats_used_bytes"),
    Absence("kubelet_volume_stats_available_bytes"),
    Absence("node_cpu_seconds_total", 'mode="idle"'),
    Absence("node_memory_MemAvailable_bytes", ""),
    Absence("node_memory_MemTotal_bytes", ""),
    Absence("certmanager_certificate_expiration_timestamp_seconds", ""),
    Absence("pg_up"),
    Absence("pg_replication_last_replay_seconds"),
    Absence("pg_replication_is_replica"),
    Absence("pg_stat_activity_count"),
    Absence("pg_settings_max_connections"),
    Absence("pg_settings_superuser_reserved_connections"),
    Absence("redis_up"),
    Absence("redis_memory_used_bytes"),
    Absence("redis_memory_max_bytes"),
    Absence("kafka_topic_partition_under_replicated_partition"),
    Absence("prices_last_update_timestamp_seconds"),
    Absence("sentiment_last_update_timestamp_seconds"),
    Absence("kube_cronjob_created", f'namespace="{NAMESPACE}", cronjob="{RESTORE_DRILL.name}"'),
    Absence("kube_deployment_spec_replicas"),
    Absence("kube_deployment_status_replicas_available"),
    Absence("kube_statefulset_replicas"),
    Absence("kube_statefulset_status_replicas_ready"),
    Absence("kube_ingress_path"),
    Absence("prometheus_rule_evaluation_failures_total", OUR_RULES),
    Absence("prometheus_config_last_reload_successful", ""),
    Absence("alertmanager_config_last_reload_successful", ""),
    Absence("alertmanager_notifications_failed_total", ""),
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
    diagnosis=("ops health", kubectl("get pods -l app={{ $labels.job }}"), kubectl("get servicemonitors")),
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
    diagnosis=("ops health", kubectl("get servicemonitors"), "ops diagnose"),
)
RULES_FAIL: Final = Alert(
    "AlertingRulesFail",
    State(f"sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total{{{OUR_RULES}}}[{WINDOW}])) > 0"),
    2 * 60,
    P2,
    Team.PLATFORM,
    Section.INCIDENT_PROCESS,
    "Prometheus cannot evaluate rules of the runbook",
    "Evaluations of {{ $labels.rule_group }} fail: its alerts cannot fire.",
    window_seconds=_WINDOW_SECONDS,
    diagnosis=("ops health", kubectl("get prometheusrules"), "ops diagnose"),
)
NOTIFICATIONS_FAIL: Final = Alert(
    "AlertingNotificationsFail",
    # By integration: what cannot be told by one way is told by the other.
    State(f"sum by (integration) (increase(alertmanager_notifications_failed_total[{WINDOW}])) > 0"),
    5 * 60,
    P2,
    Team.PLATFORM,
    Section.INCIDENT_PROCESS,
    "Alertmanager cannot notify by {{ $labels.integration }}",
    "{{ $value | humanize }} notifications by {{ $labels.integration }} failed in the last 5 minutes: people do not "
    "hear of alerts.",
    window_seconds=_WINDOW_SECONDS,
    diagnosis=(kubectl("get alertmanagerconfigs"), "ops diagnose"),
)
CONFIGURATION_REFUSED: Final = Alert(
    "AlertingConfigurationRefused",
    State(
        "min by (job) (prometheus_config_last_reload_successful) == 0 or "
        "min by (job) (alertmanager_config_last_reload_successful) == 0"
    ),
    5 * 60,
    P3,
    Team.PLATFORM,
    Section.INCIDENT_PROCESS,
    "{{ $labels.job }} refuses its configuration",
    "{{ $labels.job }} goes on with its old configuration: new rules, routes and targets are not seen.",
    diagnosis=(kubectl("get prometheusrules,alertmanagerconfigs,servicemonitors"), "ops diagnose"),
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
    diagnosis=("ops health", "ops diagnose"),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
