"""The rendered rules, judged by promtool: the syntax of all, and the meaning of those that join several metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook import alerts, practices, services
from runbook.alerting.durations import duration
from tests.alerts.tools import run

_HERE = 'namespace="crypto"'
_NIGHTLY = f'{_HERE}, cronjob="backup-postgres"'
_FAILED_JOB = {
    f'kube_job_failed{{{_HERE}, job_name="b1", condition="true"}}': "1x200",
    f'kube_job_owner{{{_HERE}, job_name="b1", owner_kind="CronJob", owner_name="backup-postgres"}}': "1x200",
    f'kube_job_status_start_time{{{_HERE}, job_name="b1"}}': "1000x200",
    f"kube_cronjob_created{{{_NIGHTLY}}}": "0x200",
}
# promtool's clock starts at 0: these become as old as a backup may be ten minutes later.
_AGING = f"{600 - practices.BACKUP_AGE.count}x60"
_CREATED = {f"kube_cronjob_created{{{_NIGHTLY}}}": _AGING}
_SUCCEEDED = {f"kube_cronjob_status_last_successful_time{{{_NIGHTLY}}}": _AGING}
_SCALER = f'{_HERE}, horizontalpodautoscaler="analytics"'
_EXPIRY = "certmanager_certificate_expiration_timestamp_seconds"
_WAITING = "kube_pod_container_status_waiting_reason"


@dataclass(frozen=True)
class Case:
    """Series (PromQL's notation, a value a minute), and how many alerts of a name fire ``at`` seconds."""

    name: str
    promise: str
    series: dict[str, str]
    at: int
    firing: int
    labels: dict[str, str] = field(default_factory=dict[str, str])


def _autoscaler(current: int, least: int, most: int) -> dict[str, str]:
    figures = {"status_current_replicas": current, "spec_min_replicas": least, "spec_max_replicas": most}
    return {f"kube_horizontalpodautoscaler_{name}{{{_SCALER}}}": f"{value}x60" for name, value in figures.items()}


def _requests(status: str, increase: int) -> dict[str, str]:
    series = f'http_requests_total{{{_HERE}, job="api-gateway", handler="/api/dashboard", status="{status}", pod="a"}}'
    return {series: f"0+{increase}x60"}


def _probes() -> dict[str, str]:
    series = f'http_requests_total{{{_HERE}, job="api-gateway", handler="/api/health", status="200", pod="a"}}'
    return {series: "0+100000x60"}


_UP = {f'up{{{_HERE}, job="{spec.name}", instance="a"}}': "1x60" for spec in services.ALL}
_CASES = (
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
    Case("JobFailed", "a failed run is told", _FAILED_JOB, 6000, 1, {"cronjob": "backup-postgres"}),
    Case("JobFailed", "a failure after a success is told",
         {**_FAILED_JOB, f"kube_cronjob_status_last_successful_time{{{_NIGHTLY}}}": "900x200"}, 6000, 1,
         {"cronjob": "backup-postgres"}),
    Case("JobFailed", "a success since then ends it",
         {**_FAILED_JOB, f"kube_cronjob_status_last_successful_time{{{_NIGHTLY}}}": "2000x200"}, 6000, 0),
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
    Case("RedisMemoryHigh", "a Redis without a limit is not full",
         {f"redis_memory_used_bytes{{{_HERE}}}": "9x60", f"redis_memory_max_bytes{{{_HERE}}}": "0x60"}, 1800, 0),
)  # fmt: skip


def test_promtool_finds_nothing_to_lint(rules: dict[str, Path]) -> None:
    checked = run("promtool", ["check", "rules", "--lint-fatal", rules["prod"]], rules["prod"].parent)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{sum(len(group.rules) for group in alerts.GROUPS)} rules found" in checked.stdout


def test_both_stacks_have_the_same_rules(rules: dict[str, Path]) -> None:
    assert rules["local"].read_text() == rules["prod"].read_text()


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case.name}: {case.promise}")
def test_a_rule_means_what_it_says(case: Case, rules: dict[str, Path], tmp_path: Path) -> None:
    assert case.name in alerts.BY_NAME
    firing = f'ALERTS{{alertname="{case.name}", alertstate="firing"}}'
    counted = [{"labels": "{}", "value": case.firing}] if case.firing else []
    asked: list[dict[str, Any]] = [
        {"expr": f"count({firing})", "eval_time": duration(case.at), "exp_samples": counted},
    ]
    if case.labels:
        narrowed = ", ".join(f'{name}="{value}"' for name, value in case.labels.items())
        narrowed = f"{firing.removesuffix('}')}, {narrowed}}}"
        asked.append({"expr": f"count({narrowed})", "eval_time": duration(case.at), "exp_samples": counted})
    tests = {
        "rule_files": [str(rules["prod"])],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
                "promql_expr_test": asked,
            }
        ],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    tested = run("promtool", ["test", "rules", "tests.yaml"], tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr
