"""For each alert, the series by which it fires and those by which it stays quiet, one step from its limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from runbook import practices, services, thresholds
from runbook.alerting import watching

_HERE: Final = 'namespace="crypto"'
_DAY: Final = 86_400

Value = Callable[[int], float | None]
"""A series' value at a moment (seconds); None where there is no sample."""


@dataclass(frozen=True)
class Scenario:
    """``bad`` fires the alert once it has lasted for its time, with these labels and ``shown`` as its value.

    ``quiet`` is one step below the limit, and never fires it. The names of series are PromQL selectors.
    ``absent`` is how many alerts fire where there is no series at all; ``after`` is how long the good values must last
    until it is over (seconds; None: the window).
    """

    alert: str
    bad: dict[str, Value]
    quiet: dict[str, Value]
    labels: dict[str, str] = field(default_factory=dict[str, str])
    shown: str = ""
    absent: int = 0
    step: int = 30
    after: int | None = None
    # What is there while all is well, where it is not the same as quiet.
    good: dict[str, Value] | None = None


def _is(value: float) -> Value:
    return lambda _: value


def _grows(a_second: float) -> Value:
    return lambda at: a_second * at


def _falls(start: float, a_second: float) -> Value:
    return lambda at: start - a_second * at


def _aged(seconds: float) -> Value:
    return lambda at: at - seconds


def _gauge(alert: str, selector: str, bad: float, quiet: float, shown: str = "", **labels: str) -> Scenario:
    return Scenario(alert, {selector: _is(bad)}, {selector: _is(quiet)}, labels, shown)


def _age(alert: str, selector: str, limit: thresholds.Threshold, shown: str, **labels: str) -> Scenario:
    """A moment that is too long ago by a second or more, and one that is exactly so long ago as it may be."""
    seconds = limit.value * (_DAY if limit.unit is thresholds.Unit.DAYS else 1)
    return Scenario(alert, {selector: _aged(seconds + 60)}, {selector: _aged(seconds)}, labels, shown)


def traffic(failing: float, slow: float, requests: float = 10) -> dict[str, Value]:
    """Users' requests a second, of which a share fails and a share is slow; beside them many good probes."""
    page = f'{_HERE}, job="api-gateway", handler="/api/dashboard", pod="a"'
    probe = f'{_HERE}, job="api-gateway", handler="/api/health", pod="a"'
    bucket = "http_request_duration_seconds_bucket"
    return {
        f'http_requests_total{{{page}, status="200"}}': _grows(requests * (1 - failing)),
        f'http_requests_total{{{page}, status="500"}}': _grows(requests * failing),
        f'http_requests_total{{{probe}, status="200"}}': _grows(1000),
        f'{bucket}{{{page}, le="0.1"}}': _is(0),
        f'{bucket}{{{page}, le="0.2"}}': _grows(requests * (1 - slow)),
        f'{bucket}{{{page}, le="0.5"}}': _grows(requests),
        f'{bucket}{{{page}, le="+Inf"}}': _grows(requests),
        f'{bucket}{{{probe}, le="0.2"}}': _grows(1000),
        f'{bucket}{{{probe}, le="+Inf"}}': _grows(1000),
    }


def _burn(alert: str, share: float, shown: str, *, slow: bool = False) -> Scenario:
    """A step above the share at which it fires, and a step below."""
    bad, quiet = (traffic(0, part) if slow else traffic(part, 0) for part in (share + 0.001, share - 0.001))
    return Scenario(alert, bad, quiet, {"job": "api-gateway"}, shown, step=60, good=traffic(0, 0))


def _up(*jobs: str, value: float = 1) -> dict[str, Value]:
    return {f'up{{{_HERE}, job="{job}", instance="{job}-0:1"}}': _is(value) for job in jobs}


_SERVICES: Final = tuple(spec.name for spec in services.ALL)


def _connections(used: float) -> dict[str, Value]:
    return {
        f'pg_stat_activity_count{{{_HERE}, state="idle"}}': _is(used - 5),
        f'pg_stat_activity_count{{{_HERE}, state="active"}}': _is(5),
        f"pg_settings_max_connections{{{_HERE}}}": _is(303),
        f"pg_settings_superuser_reserved_connections{{{_HERE}}}": _is(3),
    }


def _replica(behind: float) -> dict[str, Value]:
    replayed, is_replica = "pg_replication_last_replay_seconds", "pg_replication_is_replica"
    instance = f'{_HERE}, instance="replica:1"'
    return {f"{replayed}{{{instance}}}": _is(behind), f"{is_replica}{{{instance}}}": _is(1)}


def _redis(used: float) -> dict[str, Value]:
    return {
        f'redis_memory_used_bytes{{{_HERE}, instance="r:1"}}': _is(used),
        f'redis_memory_max_bytes{{{_HERE}, instance="r:1"}}': _is(1000),
    }


def _volume(used: float) -> dict[str, Value]:
    claim = f'{_HERE}, persistentvolumeclaim="data-postgres-0"'
    return {
        f"kubelet_volume_stats_used_bytes{{{claim}}}": _is(used),
        f"kubelet_volume_stats_available_bytes{{{claim}}}": _is(1000 - used),
    }


def _cpu(busy: float) -> dict[str, Value]:
    return {
        'node_cpu_seconds_total{instance="n:1", cpu="0", mode="idle"}': _grows(1 - busy),
        'node_cpu_seconds_total{instance="n:1", cpu="0", mode="user"}': _grows(busy),
    }


def _memory(available: float) -> dict[str, Value]:
    return {
        'node_memory_MemAvailable_bytes{instance="n:1"}': _is(available),
        'node_memory_MemTotal_bytes{instance="n:1"}': _is(1000),
    }


def _autoscaler(current: float) -> dict[str, Value]:
    figures = {"status_current_replicas": current, "spec_min_replicas": 3, "spec_max_replicas": 8}
    scaler = f'{_HERE}, horizontalpodautoscaler="analytics"'
    return {f"kube_horizontalpodautoscaler_{name}{{{scaler}}}": _is(value) for name, value in figures.items()}


def _replicas(kind: str, wanted: str, present: str, count: float) -> dict[str, Value]:
    owner = f'{_HERE}, {kind}="kafka"'
    return {f"kube_{kind}_{wanted}{{{owner}}}": _is(3), f"kube_{kind}_{present}{{{owner}}}": _is(count)}


def _job(succeeded: float, cronjob: str = "backup-redis", reason: str = "DeadlineExceeded") -> dict[str, Value]:
    """A failed run of a job that began at 1000, and the time of its last success."""
    return {
        f'kube_job_failed{{{_HERE}, job_name="b1", condition="true"}}': _is(1),
        f'kube_job_status_failed{{{_HERE}, job_name="b1", reason="{reason}"}}': _is(1),
        f'kube_job_owner{{{_HERE}, job_name="b1", owner_kind="CronJob", owner_name="{cronjob}"}}': _is(1),
        f'kube_job_status_start_time{{{_HERE}, job_name="b1"}}': _is(1000),
        f'kube_cronjob_created{{{_HERE}, cronjob="{cronjob}"}}': _is(0),
        f'kube_cronjob_status_last_successful_time{{{_HERE}, cronjob="{cronjob}"}}': _is(succeeded),
    }


def _never(age: float, cronjob: str) -> dict[str, Value]:
    return {
        f'kube_cronjob_created{{{_HERE}, cronjob="{cronjob}"}}': _aged(age),
        f'kube_cronjob_status_last_schedule_time{{{_HERE}, cronjob="{cronjob}"}}': _aged(60),
    }


def _every_metric(*left_out: str) -> dict[str, Value]:
    """Everything that an absence rule asks for, but for some."""
    found: dict[str, Value] = {}
    for absence in watching.ABSENCES:
        if absence.metric not in left_out:
            selector = absence.selector.replace("<namespace>", "crypto").replace('=~".*;crypto-.*"', '="f;crypto-jobs"')
            found[f"{absence.metric}{{{selector}}}"] = _is(1)
    return found


def _pod_memory(value: Value) -> dict[str, Value]:
    pod = f'{_HERE}, pod="user-service-x", container="user-service", image="i"'
    return {f"container_memory_working_set_bytes{{{pod}}}": value}


def _waiting(container: str, pod: str) -> str:
    labels = f'{_HERE}, container="{container}", pod="{pod}", reason="CrashLoopBackOff"'
    return f"kube_pod_container_status_waiting_reason{{{labels}}}"


def _loop(alert: str, crashing: str, /, **more: str) -> Scenario:
    """A container that runs between two crashes: it waits one minute of four."""
    series = _waiting(crashing, "p-0")
    labels = {"pod": "p-0", **more}
    return Scenario(alert, {series: lambda at: 1 if at % 240 < 60 else None}, {series: _is(0)}, labels, good={})


def _way_in(service: str, ingress: str = "api-gateway") -> str:
    """Where users are led."""
    return f'kube_ingress_path{{{_HERE}, ingress="{ingress}", path="/", service_name="{service}"}}'


_GATEWAY: Final = {"job": "api-gateway"}
_POD: Final = {"pod": "user-service-x", "container": "user-service"}
_LAG: Final = f'kafka_consumergroup_lag_sum{{{_HERE}, consumergroup="analytics-service", topic="price_updates"}}'
_REPLICA: Final = f'kafka_topic_partition_under_replicated_partition{{{_HERE}, topic="price_updates", partition="0"}}'
_MEMBERS: Final = f'kafka_consumergroup_members{{{_HERE}, consumergroup="analytics-service"}}'
_FAILURES: Final = 'prometheus_rule_evaluation_failures_total{rule_group="f;crypto-jobs"}'
_SUCCESS: Final = f"kube_cronjob_status_last_successful_time{{{_HERE}, cronjob="
_FREE: Final = f'kubelet_volume_stats_available_bytes{{{_HERE}, persistentvolumeclaim="data-kafka-0"}}'
_EXPIRY: Final = f'certmanager_certificate_expiration_timestamp_seconds{{{_HERE}, name="tls"}}'
_WARNING: Final = practices.CERTIFICATE_WARNING.value * _DAY

ALL: Final[Sequence[Scenario]] = (
    _burn("ErrorBudgetBurn1h", practices.ERROR_BURN_1H.value, "7.3%"),
    _burn("ErrorBudgetBurn6h", practices.ERROR_BURN_6H.value, "3.1%"),
    _burn("ErrorBudgetBurn1d", practices.ERROR_BURN_1D.value, "1.6%"),
    _burn("ErrorBudgetBurn3d", practices.ERROR_BURN_3D.value, "0.6%"),
    _burn("LatencyBudgetBurn1h", practices.LATENCY_BURN_1H.value, "72.1%", slow=True),
    _burn("LatencyBudgetBurn6h", practices.LATENCY_BURN_6H.value, "30.1%", slow=True),
    _burn("LatencyBudgetBurn1d", practices.LATENCY_BURN_1D.value, "15.1%", slow=True),
    _burn("LatencyBudgetBurn3d", practices.LATENCY_BURN_3D.value, "5.1%", slow=True),
    Scenario("ApiGatewayDown", _up("api-gateway", value=0), _up("api-gateway"), absent=1),
    Scenario(
        "ServiceDown", {**_up(*_SERVICES), **_up("analytics", value=0)}, _up(*_SERVICES), {"job": "analytics"}, absent=4
    ),
    Scenario("ApiGatewayHighErrorRate", traffic(0.011, 0), traffic(0.009, 0), _GATEWAY, "1.1%", good=traffic(0, 0)),
    # 5% of the requests take 0.2 to 0.5 s: the 95th percentile is at the limit. With 6% it is 0.2 + 0.3 * 1/6.
    Scenario("ApiGatewayLatencyHigh", traffic(0, 0.06), traffic(0, 0.049), _GATEWAY, "250ms", good=traffic(0, 0)),
    _loop("SentimentModelLoadFailure", "sentiment"),
    _loop("PodCrashLooping", "analytics", container="analytics"),
    Scenario("ServiceMemoryHigh", _pod_memory(_is(1_000_000_001)), _pod_memory(_is(1_000_000_000)), _POD, "953.7Mi"),
    Scenario("ServiceMemoryLeak", _pod_memory(_grows(31_000)), _pod_memory(_grows(29_000)), _POD, "30.27ki",
             good=_pod_memory(_is(0))),
    _age("PricesNotUpdated", f"prices_last_update_timestamp_seconds{{{_HERE}}}", practices.PRICE_AGE, "6m 0s"),
    _age("SentimentNotProcessed", f"sentiment_last_update_timestamp_seconds{{{_HERE}}}", practices.SENTIMENT_AGE,
         "16m 0s"),
    Scenario("HpaAtMaximum", _autoscaler(8), _autoscaler(7), {"horizontalpodautoscaler": "analytics"}, "8"),
    Scenario("DeploymentLacksPods", _replicas("deployment", "spec_replicas", "status_replicas_available", 2),
             _replicas("deployment", "spec_replicas", "status_replicas_available", 3), {"deployment": "kafka"}, "1"),
    Scenario("StatefulSetLacksPods", _replicas("statefulset", "replicas", "status_replicas_ready", 1),
             _replicas("statefulset", "replicas", "status_replicas_ready", 3), {"statefulset": "kafka"}, "2"),
    _gauge("DatabaseDown", f"pg_up{{{_HERE}}}", 0, 1),
    Scenario("DatabaseReplicaLags", _replica(61), _replica(60), {"instance": "replica:1"}, "1m 1s"),
    Scenario("DatabaseConnectionPoolExhausted", _connections(241), _connections(240), {}, "80.33%"),
    _gauge("RedisDown", f"redis_up{{{_HERE}}}", 0, 1),
    Scenario("RedisMemoryHigh", _redis(801), _redis(800), {"instance": "r:1"}, "80.1%"),
    _gauge("KafkaConsumerLagHigh", _LAG, 10_001, 10_000, "10k", consumergroup="analytics-service",
           topic="price_updates"),
    Scenario("KafkaConsumersMissing", {_MEMBERS: _is(0)}, {_MEMBERS: _is(1)}, absent=1),
    _gauge("UnderReplicatedPartitions", _REPLICA, 1, 0, "1", topic="price_updates"),
    Scenario("DiskUsageHigh", _volume(801), _volume(800), {"persistentvolumeclaim": "data-postgres-0"}, "80.1%"),
    # A day at these rates takes 86 GB.
    Scenario("VolumeFillingUp", {_FREE: _falls(85e9, 1e6)}, {_FREE: _falls(115e9, 1e6)},
             {"persistentvolumeclaim": "data-kafka-0"}, good={_FREE: _is(85e9)}),
    Scenario("NodeCpuHigh", _cpu(0.81), _cpu(0.79), {"instance": "n:1"}, "81%", good=_cpu(0.1)),
    Scenario("NodeMemoryHigh", _memory(199), _memory(200), {"instance": "n:1"}, "80.1%"),
    Scenario("MaintenanceLeftOn", {_way_in("maintenance"): _is(1)}, {_way_in("api-gateway"): _is(1)},
             {"ingress": "api-gateway"}),
    Scenario("CertificateExpiringSoon", {_EXPIRY: _aged(60 - _WARNING)}, {_EXPIRY: _aged(-_WARNING)}, {"name": "tls"},
             "20d 23h 59m 0s"),
    _age("BackupStale", f'{_SUCCESS}"backup-postgres"}}', practices.BACKUP_AGE, "1d 2h 1m 0s",
         cronjob="backup-postgres"),
    Scenario("BackupNeverSucceeded", _never(26 * 3600 + 60, "backup-redis"), _never(26 * 3600, "backup-redis"),
             {"cronjob": "backup-redis"}, "1d 2h 1m 0s"),
    _age("BackupNotProven", f'{_SUCCESS}"backup-verify"}}', practices.PROOF_AGE, "2d 2h 1m 0s",
         cronjob="backup-verify"),
    _age("RecoveryPointOld", f'crypto_backup_proven_timestamp_seconds{{{_HERE}, kind="redis"}}', practices.PROOF_AGE,
         "2d 2h 1m 0s", kind="redis"),
    _gauge("BackupShrunk", f'crypto_backup_shrunk{{{_HERE}, kind="redis"}}', 1, 0, kind="redis"),
    _age("RestoreDrillOverdue", f'kube_cronjob_created{{{_HERE}, cronjob="restore-drill"}}', practices.DRILL_AGE,
         "95d 0h 1m 0s", cronjob="restore-drill"),
    Scenario("JobNeverSucceeded", _never(26 * 3600 + 60, "log-review"), _never(26 * 3600, "log-review"),
             {"cronjob": "log-review"}, "1d 2h 1m 0s"),
    Scenario("JobFailed", _job(999), _job(1001), {"cronjob": "backup-redis"}),
    Scenario("JobFoundProblems", _job(999, "slo-check", "BackoffLimitExceeded"),
             _job(1001, "slo-check", "BackoffLimitExceeded"), {"cronjob": "slo-check"}),
    _gauge("TargetDown", f'up{{{_HERE}, job="redis-exporter", instance="r:1"}}', 0, 1, job="redis-exporter",
           instance="r:1"),
    Scenario("AlertMetricMissing", _every_metric("pg_up"), _every_metric(), {"metric": "pg_up"},
             absent=len(watching.ABSENCES)),
    Scenario("AlertingRulesFail", {_FAILURES: _grows(0.1)}, {_FAILURES: _is(7)}, {"rule_group": "f;crypto-jobs"}),
    Scenario("AlertingNotificationsFail",
             {'alertmanager_notifications_failed_total{integration="slack"}': _grows(0.1)},
             {'alertmanager_notifications_failed_total{integration="slack"}': _is(7)},
             {"integration": "slack"}, "30"),
    _gauge("AlertingConfigurationRefused", 'alertmanager_config_last_reload_successful{job="alertmanager"}', 0, 1,
           job="alertmanager"),
    Scenario("Watchdog", {}, {}, absent=1),
)  # fmt: skip
BY_NAME: Final = {scenario.alert: scenario for scenario in ALL}
