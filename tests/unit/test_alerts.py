"""The catalogue of alerts: tied to the runbook, without a number of its own, and in time."""

from __future__ import annotations

import re
import shlex
from typing import Any

import promql_parser
import pytest

from local.sample_service.metrics import LATENCY_BUCKETS
from runbook import alerts, dashboards, printed, services, severities, thresholds
from runbook.alerting import objectives, recordings, routing, watching
from runbook.alerting.durations import EVALUATION_SECONDS, SCRAPE_SECONDS
from runbook.alerting.model import Absence, Alert, Comparison, Group, Limit, Recording, State, Team, description, number
from runbook.alerting.rendering import Scope, rule_groups
from runbook.sections import RUNBOOK_PAGE, Section
from runbook.units import prometheus_duration
from tests.program.settings import ROOT
from tests.unit import command_line, promql

_SCOPE = Scope("crypto", "https://git.example.com/ops/")
_RULES: list[dict[str, Any]] = [
    rule for group in rule_groups(alerts.GROUPS, _SCOPE)["groups"] for rule in group["rules"]
]
_RECORDINGS = [rule for group in alerts.GROUPS for rule in group.rules if isinstance(rule, Recording)]
_FIRING = [rule for rule in _RULES if "alert" in rule]
_LIMITED = [alert for alert in alerts.ALL if isinstance(alert.condition, Limit)]
_ANSWERED = [alert for alert in alerts.ALL if alert.severity.response_seconds is not None]
_SERVICE_METRICS = re.compile(r"(http|prices|sentiment|analytics|users)_.*")
# Absent while all is well, or asked for by an alert that fires on their absence.
_MAY_BE_ABSENT = {
    "kube_pod_container_status_waiting_reason",
    "kube_job_failed",
    # Without it a finding is told as a failure: louder, not silent.
    "kube_job_status_failed",
    "kube_job_owner",
    "kube_job_status_start_time",
    "kube_cronjob_status_last_successful_time",
    # Until something is proven; that nothing is, is an alert of its own.
    "crypto_backup_proven_timestamp_seconds",
    "crypto_backup_shrunk",
    "kube_cronjob_status_last_schedule_time",
    "kafka_consumergroup_lag_sum",
    "kafka_consumergroup_members",
    "up",
}


def _expression(alert: Alert) -> str:
    return _SCOPE.query(alert.condition.expression, alert.window_seconds)


def _sources(query: str) -> set[str]:
    """The metrics that somebody exports, behind the recording rules that a query reads."""
    recorded = {rule.name: _SCOPE.query(rule.query, rule.window_seconds) for rule in _RECORDINGS}
    read = promql.metrics(query)
    return (read - recorded.keys()).union(*(_sources(recorded[name]) for name in read & recorded.keys()))


def _alert(**changes: Any) -> Alert:
    given: dict[str, Any] = {
        "name": "SampleAlert",
        "condition": Limit("up", Comparison.ABOVE, thresholds.KAFKA_LAG),
        "for_seconds": 60,
        "severity": severities.P1,
        "team": Team.PLATFORM,
        "section": Section.DIAGNOSIS,
        "summary": "s",
        "description": "d",
    }
    return Alert(**{**given, **changes})


def test_the_first_catalogue_is_whole() -> None:
    assert len(alerts.ALL) >= 20
    assert len(_FIRING) == len(alerts.ALL)
    assert {alert.severity for alert in alerts.ALL} == set(severities.ALL)


def test_no_two_rules_share_a_name() -> None:
    names = [rule.get("alert") or rule["record"] for rule in _RULES]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_an_expression_is_promql(rule: dict[str, Any]) -> None:
    assert promql_parser.parse(rule["expr"])


@pytest.mark.parametrize("alert", _LIMITED, ids=lambda alert: alert.name)
def test_the_number_of_an_alert_is_that_of_its_threshold(alert: Alert) -> None:
    condition = alert.condition
    assert isinstance(condition, Limit)
    assert promql.limit(_expression(alert)) == (str(condition.comparison), float(number(condition.threshold)))


@pytest.mark.parametrize("alert", _LIMITED, ids=lambda alert: alert.name)
def test_a_description_says_the_limit_as_people_write_it(alert: Alert) -> None:
    assert alert.threshold is not None
    text = description(alert)
    assert printed.value(alert.threshold) in text
    assert "<limit>" not in text
    assert "{{ $value | " in text


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_no_query_has_a_number_of_its_own(rule: dict[str, Any]) -> None:
    alert = alerts.BY_NAME.get(rule.get("alert", ""))
    known = [*(alert.guards if alert else ()), *([alert.threshold] if alert and alert.threshold else [])]
    known += [level.objective for level in objectives.LEVELS if rule.get("record") == level.budget.name]
    limits = {float(number(threshold)) for threshold in known}
    assert set(promql.numbers(rule["expr"])) <= {0.0, 1.0, recordings.QUANTILE} | limits


@pytest.mark.parametrize("rule", _FIRING, ids=lambda rule: rule["alert"])
def test_an_alert_has_what_routes_and_people_need(rule: dict[str, Any]) -> None:
    assert set(rule["labels"]) == {"severity", "team", "namespace"}
    assert rule["labels"]["namespace"] == "crypto"
    assert rule["labels"]["severity"] in severities.BY_NAME
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "commands"}
    assert all(rule["annotations"].values())


@pytest.mark.parametrize("rule", _FIRING, ids=lambda rule: rule["alert"])
def test_a_runbook_link_arrives(rule: dict[str, Any]) -> None:
    page, anchor = rule["annotations"]["runbook_url"].removeprefix(_SCOPE.runbook_url).split("#")
    assert page == RUNBOOK_PAGE
    text = (ROOT / page).read_text()
    assert text.count(f'<a id="{anchor}"></a>') == 1, "the page does not have the alert; run `make docs`"
    part = text.split(f'<a id="{anchor}"></a>')[1].split("<a id=")[0]
    assert f"### {rule['alert']}\n" in part
    assert f"Severity: {rule['labels']['severity']}," in part
    for command in alerts.BY_NAME[rule["alert"]].remedies:
        assert f"`{command.replace('{{ $labels.', '<').replace(' }}', '>')}`" in part


@pytest.mark.parametrize("alert", _ANSWERED, ids=lambda alert: alert.name)
def test_somebody_is_told_before_the_time_to_answer_is_over(alert: Alert) -> None:
    route = next(route for route in routing.ROUTES if route.receiver == routing.receiver_of(alert.severity))
    machinery = SCRAPE_SECONDS + 2 * EVALUATION_SECONDS + route.wait
    detected = routing.detection_seconds(alert)
    assert alert.severity.response_seconds is not None
    assert detected >= alert.for_seconds + machinery
    assert detected < alert.severity.response_seconds


@pytest.mark.parametrize("alert", alerts.ALL, ids=lambda alert: alert.name)
def test_only_a_burnt_budget_is_noticed_before_its_window_is_full(alert: Alert) -> None:
    if alert not in objectives.ALL:
        assert alert.window_share == 1
        return
    assert alert.threshold is not None
    # After this part of the window a total failure is as much as the limit allows for the whole of it.
    assert alert.window_share == alert.threshold.value


@pytest.mark.parametrize("level", objectives.LEVELS, ids=lambda level: level.name)
def test_a_burn_is_a_multiple_of_its_objective(level: objectives.Level) -> None:
    burns = [alert for alert in objectives.ALL if f"_{level.name}:" in alert.condition.expression]
    assert [alert.window_seconds // 3600 for alert in burns] == [1, 6, 24, 72]
    for alert, factor in zip(burns, (14.4, 6, 3, 1), strict=True):
        assert alert.threshold is not None
        assert alert.threshold.value == pytest.approx(factor * level.objective.value)


@pytest.mark.parametrize("alert", alerts.ALL, ids=lambda alert: alert.name)
def test_an_alert_counts_the_window_of_the_recording_that_it_reads(alert: Alert) -> None:
    read = [rule for rule in _RECORDINGS if rule.name in promql.metrics(_expression(alert))]
    assert alert.window_seconds >= max((rule.window_seconds for rule in read), default=0)


@pytest.mark.parametrize("alert", alerts.ALL, ids=lambda alert: alert.name)
def test_a_metric_that_is_gone_is_noticed(alert: Alert) -> None:
    assert _sources(_expression(alert)) - _MAY_BE_ABSENT <= {absence.metric for absence in watching.ABSENCES}


def test_absences_tell_the_metrics_apart() -> None:
    queries = [_SCOPE.query(absence.query) for absence in watching.ABSENCES]
    assert len(queries) == len(set(queries)) > 10
    assert promql.metrics(_SCOPE.query(Absence("pg_up").query)) == {"pg_up"}


def test_metrics_of_the_services_are_those_that_they_export() -> None:
    panels = [panel for dashboard in dashboards.ALL for panel in dashboard.panels]
    queries = [*(rule["expr"] for rule in _RULES), *(_SCOPE.query(p.query, p.window_seconds) for p in panels)]
    used = {name for query in queries for name in promql.metrics(query) if _SERVICE_METRICS.fullmatch(name)}
    assert len(used) >= 5
    sources = "".join(path.read_text() for path in sorted((ROOT / "local/sample_service").rglob("*.py")))
    assert not [name for name in used if f'"{name.removesuffix("_bucket")}"' not in sources]


def test_the_latency_limit_is_an_edge_of_the_histogram() -> None:
    assert thresholds.LATENCY_P95.value in LATENCY_BUCKETS


@pytest.mark.parametrize("alert", alerts.ALL, ids=lambda alert: alert.name)
def test_commands_look_with_kubectl_and_ops_and_mend_with_ops_alone(alert: Alert) -> None:
    assert alert.diagnosis
    assert all(command.startswith(("ops ", "kubectl ")) for command in alert.diagnosis)
    assert all(command.startswith("ops ") for command in alert.remedies)


@pytest.mark.parametrize("group", alerts.GROUPS, ids=lambda group: group.name)
def test_every_command_can_be_typed_as_it_is_told(group: Group) -> None:
    rules = rule_groups([group], Scope("another", "https://git.example.com/ops/"))["groups"][0]["rules"]
    told = [rule["annotations"]["commands"] for rule in rules if "alert" in rule]
    for line in "\n".join(told).splitlines():
        program, *words = shlex.split(re.sub(r"\{\{ \$labels\.\w+ \}\}", "label", line))
        if program == "ops":
            command_line.parse(words)
        else:
            assert words[:2] == ["-n", "another"] or words == ["top", "nodes"], line


@pytest.mark.parametrize("alert", alerts.ALL, ids=lambda alert: alert.name)
def test_a_restart_is_of_something_that_can_be_restarted(alert: Alert) -> None:
    names = [line.removeprefix("ops restart ") for line in alert.remedies if line.startswith("ops restart ")]
    # Of the labels, job and container: where an alert is on services alone.
    labels = {"{{ $labels.job }}": "job", "{{ $labels.container }}": "container"}
    for name in names:
        if name in labels:
            selected = re.findall(rf'{labels[name]}=~"([^"]+)"', alert.condition.expression)
            assert selected
            assert set(selected[0].split("|")) <= services.BY_NAME.keys()
        else:
            assert name in services.BY_NAME


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "sample_alert"}, "PascalCase"),
        ({"for_seconds": 900}, "not below the 900 s"),
        ({"for_seconds": 600, "window_seconds": 300}, "window 300 s and for 600 s"),
        ({"condition": State("rate(up[<window>])")}, "say window_seconds"),
        ({"condition": State("up"), "description": "above <limit>"}, "the condition has none"),
        ({"window_seconds": 90}, "fewer than 4 scrapes"),
    ],
)
def test_an_alert_that_cannot_work_is_refused(changes: dict[str, Any], words: str) -> None:
    assert _alert()
    with pytest.raises(ValueError, match=words):
        _alert(**changes)


@pytest.mark.parametrize(
    ("name", "window", "words"),
    [("errors", 0, "level:metric:operations"), ("job:errors:rate5m", 600, "its window is 10m")],
)
def test_a_recording_rule_is_named_for_what_it_is(name: str, window: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Recording(name, "rate(up[<window>])" if window else "up", window)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "90s"), (300, "5m"), (3600, "1h"), (5400, "90m"), (259_200, "3d")]
)
def test_a_duration_has_its_largest_unit(seconds: int, text: str) -> None:
    assert prometheus_duration(seconds) == text
    assert promql_parser.parse(f"rate(up[{text}])" if seconds else "up")


def test_a_duration_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 s"):
        prometheus_duration(-1)


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (thresholds.API_ERROR_RATIO, "0.01"),
        (thresholds.SERVICE_MEMORY, "1000000000"),
        (thresholds.SLOW_QUERY, "0.5"),
        (thresholds.BACKUP_RETENTION, "2592000"),
    ],
)
def test_a_threshold_is_written_in_the_unit_of_metrics(threshold: thresholds.Threshold, text: str) -> None:
    assert number(threshold) == text


@pytest.mark.parametrize("dashboard", dashboards.ALL, ids=lambda dashboard: dashboard.name)
def test_every_panel_asks_promql(dashboard: dashboards.Dashboard) -> None:
    assert len(dashboard.panels) >= 3
    for panel in dashboard.panels:
        assert promql_parser.parse(_SCOPE.query(panel.query, panel.window_seconds)), panel.title


def test_a_panel_of_an_alert_without_a_limit_is_refused() -> None:
    with pytest.raises(TypeError, match="Watchdog compares nothing"):
        dashboards._of_alert(watching.WATCHDOG, "t", dashboards.Display.COUNT, "job")  # pyright: ignore[reportPrivateUsage]
