"""Series in PromQL's own notation, for alerts that join several metrics: what each must and must not tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from runbook import practices, services
from runbook.alerting import objectives
from runbook.alerting.model import Limit
from runbook.thresholds import Threshold, Unit
from tests.unit import promql

_HERE = 'namespace="crypto"'
_NIGHTLY = f'{_HERE}, cronjob="backup-postgres"'
_FAILED_JOB = {
    f'kube_job_failed{{{_HERE}, job_name="b1", condition="true"}}': "1x200",
    f'kube_job_owner{{{_HERE}, job_name="b1", owner_kind="CronJob", owner_name="backup-postgres"}}': "1x200",
    f'kube_job_status_start_time{{{_HERE}, job_name="b1"}}': "300x200",
    f"kube_cronjob_created{{{_NIGHTLY}}}": "0x200",
}


def _runs(cronjob: str, *runs: tuple[int, str]) -> dict[str, str]:
    """Failed runs of a CronJob that never succeeded: when each began, and why its Job failed."""
    series = {f'kube_cronjob_created{{{_HERE}, cronjob="{cronjob}"}}': "0x200"}
    for began, reason in runs:
        here = f'{_HERE}, job_name="{cronjob}-{began}"'
        series |= {
            f'kube_job_failed{{{here}, condition="true"}}': "1x200",
            f'kube_job_owner{{{here}, owner_kind="CronJob", owner_name="{cronjob}"}}': "1x200",
            f"kube_job_status_start_time{{{here}}}": f"{began}x200",
            f'kube_job_status_failed{{{here}, reason="BackoffLimitExceeded"}}': f"{int(reason == _FOUND)}x200",
            f'kube_job_status_failed{{{here}, reason="DeadlineExceeded"}}': f"{int(reason == _LATE)}x200",
        }
    return series


def _under_way(cronjob: str, reason: str) -> dict[str, str]:
    """A run whose Job has not failed yet, whatever its pods tell."""
    found = _runs(cronjob, (300, reason))
    return {name: "0x200" if name.startswith("kube_job_failed") else values for name, values in found.items()}


def _led(service: str, path: str = "/", ingress: str = "api-gateway") -> str:
    """A way from outside to a Service."""
    return f'kube_ingress_path{{{_HERE}, ingress="{ingress}", path="{path}", service_name="{service}"}}'


_FOUND, _LATE, _BROKE = "BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy"
_NEVER = {
    f'kube_cronjob_created{{{_HERE}, cronjob="log-review"}}': f"{600 - practices.JOB_FIRST_SUCCESS.count}x200",
    f'kube_cronjob_status_last_schedule_time{{{_HERE}, cronjob="log-review"}}': "0x200",
}
# promtool's clock starts at 0: these become as old as a backup may be ten minutes later.
_AGING = f"{600 - practices.BACKUP_AGE.count}x60"
_CREATED = {f"kube_cronjob_created{{{_NIGHTLY}}}": _AGING}
_SUCCEEDED = {f"kube_cronjob_status_last_successful_time{{{_NIGHTLY}}}": _AGING}
_SCALER = f'{_HERE}, horizontalpodautoscaler="analytics"'
_EXPIRY = "certmanager_certificate_expiration_timestamp_seconds"
_LOGS = f'{_HERE}, cronjob="log-review"'
_DAY = 86_400
_PROVEN = f'{_HERE}, cronjob="backup-verify"'
_DRILLED = f'{_HERE}, cronjob="restore-drill"'
_RELOADED = "config_last_reload_successful"
_WAITING = "kube_pod_container_status_waiting_reason"


@dataclass(frozen=True)
class Case:
    """Series (PromQL's notation, a value a minute), and how many alerts of a name fire ``at`` seconds.

    ``step`` is how often the rules are evaluated (seconds).
    """

    name: str
    promise: str
    series: dict[str, str]
    at: int
    firing: int
    labels: dict[str, str] = field(default_factory=dict[str, str])
    step: int = 30


def _autoscaler(current: int, least: int, most: int) -> dict[str, str]:
    figures = {"status_current_replicas": current, "spec_min_replicas": least, "spec_max_replicas": most}
    return {f"kube_horizontalpodautoscaler_{name}{{{_SCALER}}}": f"{value}x60" for name, value in figures.items()}


def _requests(status: str, increase: int) -> dict[str, str]:
    series = f'http_requests_total{{{_HERE}, job="api-gateway", handler="/api/dashboard", status="{status}", pod="a"}}'
    return {series: f"0+{increase}x60"}


def _probes() -> dict[str, str]:
    series = f'http_requests_total{{{_HERE}, job="api-gateway", handler="/api/health", status="200", pod="a"}}'
    return {series: "0+100000x60"}


def _times(labels: str, created: float, succeeded: float | None = None) -> dict[str, str]:
    """When a CronJob was made and when it last succeeded, by promtool's clock that starts at 0."""
    times = {"created": created, "status_last_successful_time": succeeded}
    return {f"kube_cronjob_{name}{{{labels}}}": f"{at:.0f}x200" for name, at in times.items() if at is not None}


def _old(limit: Threshold) -> float:
    """A moment that is too long ago after ten minutes."""
    return 600 - limit.value * (_DAY if limit.unit is Unit.DAYS else 1)


def _burns() -> Iterator[Case]:
    """What the two windows say, as their recording rules would have written it, and the requests of an hour."""
    for alert in objectives.ALL:
        limit, least = alert.condition, practices.LEAST_TRAFFIC.value
        assert isinstance(limit, Limit)
        long, short, traffic = (
            str(node) for node in promql.selectors(limit.expression.replace("<namespace>", "crypto"))
        )
        above, below = (limit.threshold.value * share for share in (1.01, 0.99))
        at = alert.for_seconds + 600
        for promise, values, firing in (
            ("both windows and enough requests", (above, above, least), 1),
            ("it is over: the short window is well", (above, below, least), 0),
            ("it is short: the long window is well", (below, above, least), 0),
            ("too few requests to judge by", (above, above, least - 1), 0),
        ):
            shown = zip((long, short, traffic), values, strict=True)
            series = {name: f"{value:.15g}x{at // 60}" for name, value in shown}
            yield Case(alert.name, promise, series, at, firing, step=60)


_UP = {f'up{{{_HERE}, job="{spec.name}", instance="a"}}': "1x60" for spec in services.ALL}
ALL: Final[Sequence[Case]] = (
    Case("ApiGatewayHighErrorRate", "probes do not hide failures",
         {**_requests("200", 980), **_requests("500", 20), **_probes()}, 1800, 1, {"job": "api-gateway"}),
    Case("ApiGatewayHighErrorRate", "half a percent is quiet",
         {**_requests("200", 995), **_requests("500", 5)}, 1800, 0),
    Case("ApiGatewayHighErrorRate", "classes of statuses count",
         {**_requests("2xx", 98), **_requests("5xx", 2)}, 1800, 1, {"job": "api-gateway"}),
    Case("ApiGatewayHighErrorRate", "no requests are no failures", _requests("200", 0), 1800, 0),
    Case("ApiGatewayDown", "no target at all is down", {}, 600, 1),
    Case("ApiGatewayDown", "one pod that answers is enough", _UP, 600, 0),
    Case("ServiceDown", "services without a target are named", {}, 600, 4),
    Case("ServiceDown", "services that answer are not", _UP, 600, 0),
    Case("BackupNeverSucceeded", "a CronJob has its first day", _CREATED, 540, 0),
    Case("BackupNeverSucceeded", "one that never succeeded is told", _CREATED, 1200, 1, {"cronjob": "backup-postgres"}),
    Case("BackupNeverSucceeded", "one that did is not", {**_CREATED, **_SUCCEEDED}, 1200, 0),
    Case("BackupStale", "but the age of its success counts", {**_CREATED, **_SUCCEEDED}, 1200, 1,
         {"cronjob": "backup-postgres"}),
    Case("JobFailed", "a failed run is told", _FAILED_JOB, 900, 1, {"cronjob": "backup-postgres"}),
    Case("JobFailed", "a failure after a success is told",
         {**_FAILED_JOB, f"kube_cronjob_status_last_successful_time{{{_NIGHTLY}}}": "240x200"}, 900, 1,
         {"cronjob": "backup-postgres"}),
    Case("JobFailed", "a success since then ends it",
         {**_FAILED_JOB, f"kube_cronjob_status_last_successful_time{{{_NIGHTLY}}}": "600x200"}, 900, 0),
    Case("JobFailed", "a job that found something did not break", _runs("slo-check", (300, _FOUND)), 900, 0),
    Case("JobFoundProblems", "a finding is told as one", _runs("slo-check", (300, _FOUND)), 900, 1,
         {"cronjob": "slo-check"}),
    Case("JobFailed", "a job that finds can break, too", _runs("slo-check", (300, _BROKE)), 900, 1,
         {"cronjob": "slo-check"}),
    Case("JobFoundProblems", "a run that broke found nothing", _runs("slo-check", (300, _LATE)), 900, 0),
    Case("JobFailed", "a backup that failed at each try is no finding", _runs("backup-redis", (300, _FOUND)), 900, 1,
         {"cronjob": "backup-redis"}),
    Case("JobFoundProblems", "a backup finds nothing", _runs("backup-redis", (300, _FOUND)), 900, 0),
    Case("JobFailed", "a finding later than a break ends it",
         _runs("slo-check", (300, _BROKE), (600, _FOUND)), 900, 0),
    Case("JobFoundProblems", "the newest run is what is told",
         _runs("slo-check", (300, _BROKE), (600, _FOUND)), 900, 1, {"cronjob": "slo-check"}),
    Case("JobFoundProblems", "a break later than a finding ends it",
         _runs("slo-check", (300, _FOUND), (600, _LATE)), 900, 0),
    Case("JobFailed", "a run that is under way has not failed", _under_way("slo-check", _BROKE), 900, 0),
    Case("JobFoundProblems", "a run that is under way has found nothing yet", _under_way("slo-check", _FOUND), 900, 0),
    Case("JobNeverSucceeded", "one that is under way has found nothing yet",
         {**_under_way("log-review", _FOUND), **_NEVER}, 1200, 1, {"cronjob": "log-review"}),
    Case("JobNeverSucceeded", "a job without any success is told", {**_runs("log-review"), **_NEVER}, 1200, 1,
         {"cronjob": "log-review"}),
    Case("JobNeverSucceeded", "one that has found something has done its work",
         {**_runs("log-review", (300, _FOUND)), **_NEVER}, 1200, 0),
    Case("JobNeverSucceeded", "one that broke has not", {**_runs("log-review", (300, _BROKE)), **_NEVER}, 1200, 1,
         {"cronjob": "log-review"}),
    Case("JobNeverSucceeded", "a success is one, however old the job", {
        **_runs("log-review"), **_NEVER, f'kube_cronjob_status_last_successful_time{{{_LOGS}}}': "0x200"}, 1200, 0),
    Case("JobNeverSucceeded", "a job that was not due yet owes nothing",
         _times(_LOGS, _old(practices.JOB_FIRST_SUCCESS)), 1200, 0),
    Case("JobNeverSucceeded", "a job that looks for nothing has not done its work by failing", {
        **_runs("backup-verify", (300, _FOUND)), **_times(_PROVEN, _old(practices.JOB_FIRST_SUCCESS)),
        f"kube_cronjob_status_last_schedule_time{{{_PROVEN}}}": "0x200"}, 1200, 1, {"cronjob": "backup-verify"}),
    Case("BackupNotProven", "none since the job was made", _times(_PROVEN, _old(practices.PROOF_AGE)), 1200, 1,
         {"cronjob": "backup-verify"}),
    Case("BackupNotProven", "one lately, by an old job", _times(_PROVEN, _old(practices.PROOF_AGE), 0), 1200, 0),
    Case("RestoreDrillOverdue", "the last is too long ago",
         _times(_DRILLED, 2 * _old(practices.DRILL_AGE), _old(practices.DRILL_AGE)), 1200, 1,
         {"cronjob": "restore-drill"}),
    Case("RestoreDrillOverdue", "one lately, by an old job", _times(_DRILLED, _old(practices.DRILL_AGE), 0), 1200, 0),
    Case("AlertingConfigurationRefused", "of both programs the one that refuses is named", {
        f'prometheus_{_RELOADED}{{job="prometheus"}}': "0x60", f'alertmanager_{_RELOADED}{{job="alertmanager"}}':
        "1x60"}, 1200, 1, {"job": "prometheus"}),
    *_burns(),
    Case("HpaAtMaximum", "all pods are too few", _autoscaler(8, 3, 8), 3000, 1),
    Case("HpaAtMaximum", "in the peak hours the least are the most", _autoscaler(8, 8, 8), 3000, 0),
    Case("HpaAtMaximum", "room is left", _autoscaler(7, 3, 8), 3000, 0),
    Case("SentimentModelLoadFailure", "a crash loop that runs between two crashes is one", {
        f'{_WAITING}{{{_HERE}, container="sentiment", pod="s-0", reason="CrashLoopBackOff"}}': "1 _ _ 1 _ _ 1 _ _ 1 _"},
        600, 1, {"pod": "s-0"}),
    Case("KafkaConsumersMissing", "a group that is gone is told", {}, 1200, 1),
    Case("CertificateExpiringSoon", "a certificate is found whatever the scrape calls its namespace", {
        f'{_EXPIRY}{{{_HERE}, name="a"}}': "86400x60",
        f'{_EXPIRY}{{namespace="cert-manager", exported_namespace="crypto", name="b"}}': "86400x60",
        f'{_EXPIRY}{{namespace="cert-manager", exported_namespace="x", name="c"}}': "86400x60"}, 1800, 2),
    Case("MaintenanceLeftOn", "a window that ends in time is quiet", {_led("maintenance"): "1x58 stale"}, 3600, 0),
    Case("MaintenanceLeftOn", "two windows are not one long one",
         {_led("maintenance"): "1x50 stale _x9 1x50 stale"}, 6600, 0),
    Case("MaintenanceLeftOn", "several paths that lead to the page are one finding",
         {_led("maintenance"): "1x90", _led("maintenance", "/api"): "1x90"}, 4200, 1, {"ingress": "api-gateway"}),
    Case("MaintenanceLeftOn", "Grafana's own way in does not count",
         {_led("maintenance", ingress="grafana"): "1x90"}, 4200, 0),
    Case("DatabaseReplicaLags", "a primary has nobody to be behind", {
        f'pg_replication_last_replay_seconds{{{_HERE}, instance="p:1"}}': "900x60",
        f'pg_replication_is_replica{{{_HERE}, instance="p:1"}}': "0x60"}, 1800, 0),
    Case("DatabaseReplicaLags", "of two the one that lags is told", {
        f'pg_replication_last_replay_seconds{{{_HERE}, instance="a:1"}}': "900x60",
        f'pg_replication_is_replica{{{_HERE}, instance="a:1"}}': "1x60",
        f'pg_replication_last_replay_seconds{{{_HERE}, instance="b:1"}}': "5x60",
        f'pg_replication_is_replica{{{_HERE}, instance="b:1"}}': "1x60"}, 1800, 1, {"instance": "a:1"}),
    Case("RedisMemoryHigh", "a Redis without a limit is not full",
         {f"redis_memory_used_bytes{{{_HERE}}}": "9x60", f"redis_memory_max_bytes{{{_HERE}}}": "0x60"}, 1800, 0),
)  # fmt: skip


def document(case: Case, names: Sequence[str] = ()) -> dict[str, Any]:
    """promtool's test of the case; ``names`` where its alert stands under others."""
    asked = [question for name in names or (case.name,) for question in _questions(case, name)]
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    return {"interval": "1m", "input_series": series, "promql_expr_test": asked}


def _questions(case: Case, alert: str) -> Iterator[dict[str, Any]]:
    counted = [{"labels": "{}", "value": case.firing}] if case.firing else []
    for labels in ({}, case.labels) if case.labels else ({},):
        wanted = {"alertname": alert, "alertstate": "firing", **labels}
        selector = ", ".join(f'{name}="{value}"' for name, value in wanted.items())
        yield {"expr": f"count(ALERTS{{{selector}}})", "eval_time": f"{case.at}s", "exp_samples": counted}
