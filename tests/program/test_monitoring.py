"""What Prometheus, Alertmanager and Grafana are told, in both stacks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.monitoring import alertmanager_config, alertmanager_file, dashboards, prometheus_rule, service_monitors
from runbook import alerts, exporters, services, severities, thresholds
from runbook import dashboards as panels
from runbook.alerting import routing
from runbook.alerting.rendering import Scope
from runbook.settings import AlertingSettings
from tests.program.engine import Registered
from tests.program.settings import load

_PRODUCTION = AlertingSettings(pagerduty_secret="pagerduty", slack_secret="slack", heartbeat_secret="heartbeat")
_EMBEDDED = AlertingSettings(webhook_url="http://sink:8080/all", heartbeat_url="http://sink:8080/heartbeat")


def _kind(stack: list[Registered], kind: str) -> list[dict[str, Any]]:
    found = [item.inputs for item in stack if item.inputs.get("kind") == kind]
    assert found, f"the program registers no {kind}"
    return found


def _receivers(alerting: AlertingSettings) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in alertmanager_config.config_spec(alerting)["receivers"]}


def test_the_operator_selects_rules_routes_and_targets_by_the_stacks_labels(stack: list[Registered]) -> None:
    for kind in ("PrometheusRule", "AlertmanagerConfig", "ServiceMonitor"):
        for resource in _kind(stack, kind):
            assert resource["metadata"]["labels"].items() >= load("prod").monitoring.labels.items()
            assert resource["metadata"]["namespace"] == "crypto"


def test_the_rules_are_the_whole_catalogue(stack: list[Registered]) -> None:
    groups = _kind(stack, "PrometheusRule")[0]["spec"]["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule} == set(alerts.BY_NAME)


def test_links_go_where_the_stack_says_that_the_runbook_is_read() -> None:
    settings = load("prod")
    elsewhere = settings.monitoring.model_copy(update={"runbook_url": "https://wiki.example.com"})
    scope = prometheus_rule.scope(settings.model_copy(update={"monitoring": elsewhere}))
    section = alerts.ALL[0].section
    assert scope.link(section) == f"https://wiki.example.com/docs/runbook.md#{section.anchor}"


def test_every_service_is_asked_under_the_runbooks_name(stack: list[Registered]) -> None:
    monitors = {item["metadata"]["name"]: item["spec"] for item in _kind(stack, "ServiceMonitor")}
    declared = [item.inputs for item in stack if item.token == "kubernetes:core/v1:Service"]
    for spec in services.ALL:
        (endpoint,) = monitors[spec.name]["endpoints"]
        assert {"action": "replace", "targetLabel": "job", "replacement": spec.name} in endpoint["relabelings"]
        wanted = monitors[spec.name]["selector"]["matchLabels"].items()
        selected = [item for item in declared if item["metadata"]["labels"].items() >= wanted]
        assert [item["metadata"]["name"] for item in selected] == [spec.service_name]
        assert endpoint["port"] in {port["name"] for port in selected[0]["spec"]["ports"]}
        assert endpoint["path"] == "/metrics"


def test_the_exporters_are_asked_too(stack: list[Registered]) -> None:
    monitors = {item["metadata"]["name"]: item["spec"] for item in _kind(stack, "ServiceMonitor")}
    assert set(service_monitors.EXPORTERS) == {spec.name for spec in exporters.ALL}
    for name in service_monitors.EXPORTERS:
        assert monitors[name]["selector"] == {"matchLabels": {"app": name}}
        assert monitors[name]["endpoints"][0]["port"] == "metrics"


@pytest.mark.parametrize("severity", severities.ALL, ids=lambda severity: severity.name)
def test_production_pages_what_is_urgent_and_chats_the_rest(severity: severities.Severity) -> None:
    receiver = _receivers(_PRODUCTION)[routing.receiver_of(severity).name]
    assert receiver["slackConfigs"][0]["apiURL"] == {"name": "slack", "key": "url"}
    assert [config["routingKey"] for config in receiver.get("pagerdutyConfigs", [])] == (
        [{"name": "pagerduty", "key": "routing-key"}] if severity.pages else []
    )


def test_an_environment_without_pager_and_chat_gets_everything_by_webhook() -> None:
    receivers = _receivers(_EMBEDDED)
    heartbeat = receivers.pop(routing.HEARTBEAT)
    assert heartbeat["webhookConfigs"] == [{"url": "http://sink:8080/heartbeat", "sendResolved": False}]
    assert len(receivers) >= len(severities.ALL)
    assert {item["webhookConfigs"][0]["url"] for item in receivers.values()} == {"http://sink:8080/all"}


def test_the_sign_of_life_goes_to_its_secret_address_and_disturbs_nobody() -> None:
    heartbeat = {"urlSecret": {"name": "heartbeat", "key": "url"}, "sendResolved": False}
    assert _receivers(_PRODUCTION)[routing.HEARTBEAT] == {"name": routing.HEARTBEAT, "webhookConfigs": [heartbeat]}
    told = [name for name, receiver in _receivers(_PRODUCTION).items() if "webhookConfigs" in receiver]
    assert told == [routing.HEARTBEAT]
    here = AlertingSettings(slack_secret="slack")
    assert _receivers(here)[routing.HEARTBEAT] == {"name": routing.HEARTBEAT}


def test_the_file_reads_the_address_of_the_sign_of_life_from_a_file() -> None:
    receivers = {item["name"]: item for item in alertmanager_file.plain(_PRODUCTION, "crypto")["receivers"]}
    (config,) = receivers[routing.HEARTBEAT]["webhook_configs"]
    assert config == {"url_file": "/etc/alertmanager/secrets/heartbeat/url", "send_resolved": False}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pagerdutySecret": "p"}, "set without heartbeatSecret: when alerting itself is down, nobody is paged"),
        ({"heartbeatSecret": "h", "heartbeatUrl": "https://example.com"}, "are both set"),
    ],
)
def test_who_pages_has_a_dead_mans_switch(given: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AlertingSettings.model_validate(given)
    for address in ({"heartbeatSecret": "h"}, {"heartbeatUrl": "https://example.com"}):
        assert AlertingSettings.model_validate({"pagerdutySecret": "p", **address})


@pytest.mark.parametrize("name", ["local", "prod"])
def test_no_severity_falls_on_deaf_ears(name: str) -> None:
    receivers = _receivers(load(name).alerting)
    deaf = {item["name"] for item in receivers.values() if len(item) == 1}
    # The embedded environment has nobody outside who would wait for a sign of life.
    assert deaf <= ({routing.HEARTBEAT} if name == "local" else set())


def test_an_escalation_names_whom_it_calls() -> None:
    receivers = _receivers(_PRODUCTION)
    assert "CTO" in receivers["p1-cto"]["slackConfigs"][0]["title"]
    assert "pagerdutyConfigs" not in receivers["p1-cto"]


def test_a_p1_is_never_muted_and_the_rest_is_in_each_window() -> None:
    spec = alertmanager_config.config_spec(_PRODUCTION)
    windows = [window["name"] for window in spec["muteTimeIntervals"]]
    assert windows == ["weekly-maintenance", "monthly-maintenance"]
    for route in spec["route"]["routes"]:
        (matcher,) = route["matchers"]
        assert route["muteTimeIntervals"] == (windows if matcher["value"] in {"P2", "P3", "P4"} else [])


def test_the_first_sunday_is_a_sunday_and_among_the_first_seven_days() -> None:
    monthly = alertmanager_config.config_spec(_PRODUCTION)["muteTimeIntervals"][1]
    assert monthly["timeIntervals"] == [
        {
            "weekdays": ["sunday"],
            "daysOfMonth": [{"start": 1, "end": 7}],
            "times": [{"startTime": "03:00", "endTime": "04:00"}],
        }
    ]


def test_grafana_finds_the_runbooks_dashboards(stack: list[Registered]) -> None:
    found = [item for item in _config_maps(stack) if "grafana_dashboard" in item["metadata"]["labels"]]
    assert {item["metadata"]["labels"]["grafana_dashboard"] for item in found} == {"1"}
    titles = {json.loads(text)["title"] for item in found for text in item["data"].values()}
    assert titles == {"API Gateway", "Infrastructure", "Datastores", "Business Metrics", "Backups", "Service Levels"}


def _config_maps(stack: list[Registered]) -> list[dict[str, Any]]:
    return [item.inputs for item in stack if item.token == "kubernetes:core/v1:ConfigMap"]


@pytest.mark.parametrize("dashboard", panels.ALL, ids=lambda dashboard: dashboard.name)
def test_a_dashboard_shows_every_panel_and_its_limit(dashboard: panels.Dashboard) -> None:
    drawn = json.loads(dashboards.dashboard_json(dashboard, Scope("crypto", "https://git.example.com")))
    assert drawn["uid"] == f"crypto-{dashboard.name}"
    assert len(drawn["panels"]) == len(dashboard.panels)
    (annotation,) = drawn["annotations"]["list"]
    assert annotation["enable"] is True
    assert annotation["expr"] == 'ALERTS{namespace="crypto", alertstate="firing", alertname!="Watchdog"}'
    for panel, shown in zip(dashboard.panels, drawn["panels"], strict=True):
        assert shown["title"] == panel.title
        assert "<" not in shown["targets"][0]["expr"].replace("<=", "")
        assert shown["datasource"]["uid"] == "${datasource}"
        steps = shown["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        assert len(steps) == (2 if panel.limit else 0)


def test_a_limit_is_drawn_red_on_its_bad_side() -> None:
    drawn = {
        panel["title"]: panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        for dashboard in (panels.API_GATEWAY, panels.INFRASTRUCTURE)
        for panel in json.loads(dashboards.dashboard_json(dashboard, Scope("crypto", "https://git.example.com")))[
            "panels"
        ]
        if "thresholds" in panel["fieldConfig"]["defaults"]
    }
    latency = drawn["Response time, 95th percentile"]
    assert [step["color"] for step in latency] == ["green", "red"]
    assert latency[1]["value"] == thresholds.LATENCY_P95.value
    assert [step["color"] for step in drawn["Time left of certificates"]] == ["red", "green"]
