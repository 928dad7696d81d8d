"""The routes, judged by amtool on the configuration that the operator would make of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from local import rules as rules_as_files
from runbook import alerts, severities
from runbook.alerting import routing
from runbook.alerting.model import Alert
from runbook.alerting.watching import WATCHDOG
from runbook.severities import P1, Severity
from tests.alerts.tools import for_debians_amtool, run


def _expected(alert: Alert, severity: Severity) -> str:
    if alert is WATCHDOG:
        return routing.HEARTBEAT
    called = [route.receiver for route in routing.ROUTES if route.receiver.severity is severity]
    return ",".join(receiver.name for receiver in called)


def _route(config: Path, labels: dict[str, str], receivers: str) -> tuple[int, str]:
    given = [f"{name}={value}" for name, value in labels.items()]
    options = [f"--config.file={config}", f"--verify.receivers={receivers}"]
    routed = run("amtool", ["config", "routes", "test", *options, *given], config.parent)
    return routed.returncode, routed.stdout + routed.stderr


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_amtool_takes_the_configuration(stack: str, configs: dict[str, Path]) -> None:
    checked = run("amtool", ["check-config", configs[stack]], configs[stack].parent)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(routing.RECEIVERS) + 1} receivers" in checked.stdout
    assert f"{len(routing.INHIBITIONS) + len(routing.CAUSES)} inhibit rules" in checked.stdout


@pytest.mark.parametrize("alert", alerts.ALL, ids=lambda alert: alert.name)
def test_an_alert_reaches_exactly_the_receivers_of_whatever_severity_it_has(
    alert: Alert, configs: dict[str, Path]
) -> None:
    for severity in severities.ALL:
        labels = {"alertname": alert.name, "severity": severity.name, "namespace": "crypto"}
        code, said = _route(configs["prod"], labels, _expected(alert, severity))
        assert code == 0, said


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_every_matcher_asks_for_something_that_an_alert_has(stack: str, configs: dict[str, Path]) -> None:
    config = yaml.safe_load(configs[stack].read_text())
    rules = config["inhibit_rules"]
    routes = config["route"]["routes"][0]["routes"]
    matchers = [text for route in routes for text in route["matchers"]]
    matchers += [text for rule in rules for side in ("source", "target") for text in rule[f"{side}_matchers"]]
    assert len(matchers) > 30
    known = {
        "namespace": {"crypto"},
        "severity": {severity.name for severity in severities.ALL},
        "alertname": set(alerts.BY_NAME),
    }
    for text in matchers:
        label, values = re.fullmatch(r'(\w+)=~?"([^"]+)"', text).groups()  # type: ignore[union-attr]
        assert set(values.split("|")) <= known[label], text


def test_no_cause_silences_a_worse_alert() -> None:
    assert len(routing.CAUSES) >= 10
    for cause in routing.CAUSES:
        assert cause.targets
        assert cause.source not in cause.targets
        for target in cause.targets:
            assert severities.ALL.index(target.severity) >= severities.ALL.index(cause.source.severity), target.name


def test_secrets_are_files_and_never_values(configs: dict[str, Path]) -> None:
    content = configs["prod"].read_text()
    receivers = {item["name"]: item for item in yaml.safe_load(content)["receivers"]}
    pager, chat = receivers["p1"]["pagerduty_configs"][0], receivers["p1"]["slack_configs"][0]
    assert pager["routing_key_file"] == "/etc/alertmanager/secrets/pagerduty/routing-key"
    assert chat["api_url_file"] == "/etc/alertmanager/secrets/slack/url"
    assert "routing_key" not in pager
    assert "api_url" not in chat


def test_an_alert_of_another_namespace_reaches_none_of_ours(configs: dict[str, Path]) -> None:
    labels = {"alertname": "ApiGatewayDown", "severity": "P1", "namespace": "elsewhere"}
    code, said = _route(configs["prod"], labels, "null")
    assert code == 0, said


def test_an_alert_without_a_severity_of_ours_is_a_minor_issue(configs: dict[str, Path]) -> None:
    code, said = _route(configs["prod"], {"alertname": "Stray", "namespace": "crypto"}, "p3")
    assert code == 0, said


def test_amtool_notices_a_wrong_receiver(configs: dict[str, Path]) -> None:
    labels = {"alertname": "ApiGatewayDown", "severity": "P1", "namespace": "crypto"}
    code, said = _route(configs["prod"], labels, "p4")
    assert code == 1
    assert "did not match" in said


def _said(template: str, folder: Path, status: str = "firing", first: str = "ops redis bigkeys") -> str:
    """What Alertmanager makes of a template for two alerts that Prometheus sent; ``first`` is their first command."""
    sent = [
        {
            "status": status,
            "labels": {"alertname": "RedisMemoryHigh", "severity": "P3", "namespace": "crypto", "instance": instance},
            "annotations": {
                "summary": f"Redis uses {used}% of its memory",
                "description": f"Redis uses {used}% of maxmemory; the limit is 80%.",
                "commands": f"{first}\nops diagnose",
                "runbook_url": "https://git.example.com/docs/runbook.md#alert-redismemoryhigh",
            },
        }
        for instance, used in (("a:1", 81), ("b:1", 93))
    ]
    common = {"alertname": "RedisMemoryHigh", "severity": "P3", "namespace": "crypto"}
    data = {"receiver": "p3", "status": status, "alerts": sent, "commonLabels": common, "groupLabels": common}
    (folder / "data.json").write_text(json.dumps(data))
    arguments = ["--template.glob=none/*", "--template.data=data.json", f"--template.text={template}"]
    rendered = run("amtool", ["template", "render", *arguments], folder)
    assert rendered.returncode == 0, rendered.stderr
    return rendered.stdout


def test_a_message_has_the_numbers_the_first_commands_and_the_runbook(configs: dict[str, Path], tmp_path: Path) -> None:
    receivers = {item["name"]: item for item in yaml.safe_load(configs["prod"].read_text())["receivers"]}
    chat, pager = receivers["p3"]["slack_configs"][0], receivers["p1"]["pagerduty_configs"][0]
    assert _said(chat["title"], tmp_path).strip() == "[FIRING:2] P3 RedisMemoryHigh"
    text = _said(chat["text"], tmp_path)
    assert all(part in text for part in ("81%", "93%", "limit is 80%", "ops redis bigkeys\nops diagnose"))
    assert text.count("<https://git.example.com/docs/runbook.md#alert-redismemoryhigh|Runbook>") == 2
    assert "81%" in _said(pager["description"], tmp_path)
    assert _said(pager["details"]["commands"], tmp_path).strip() == "ops redis bigkeys\nops diagnose"
    assert _said(pager["links"][0]["href"], tmp_path).strip().endswith("#alert-redismemoryhigh")


def test_what_a_label_brings_calls_nobody_in_slack_and_makes_no_link(configs: dict[str, Path], tmp_path: Path) -> None:
    receivers = {item["name"]: item for item in yaml.safe_load(configs["prod"].read_text())["receivers"]}
    for receiver in ("p1", "p2", "p3"):
        text = _said(receivers[receiver]["slack_configs"][0]["text"], tmp_path, first="a && b <!channel> ``` <//x|y>")
        assert text.count("```a &amp;&amp; b &lt;!channel&gt; ''' &lt;//x|y&gt;\nops diagnose```") == 2


def test_a_message_says_when_it_is_over(configs: dict[str, Path], tmp_path: Path) -> None:
    receivers = {item["name"]: item for item in yaml.safe_load(configs["prod"].read_text())["receivers"]}
    title = receivers["p3"]["slack_configs"][0]["title"]
    assert _said(title, tmp_path, "resolved").strip() == "[RESOLVED] P3 RedisMemoryHigh"
    assert receivers[P1.name.lower()]["slack_configs"][0]["send_resolved"]


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_make_rules_writes_what_prometheus_and_alertmanager_take(
    stack: str, rules: dict[str, Path], configs: dict[str, Path], tmp_path: Path
) -> None:
    written = rules_as_files.write(stack, tmp_path / "alerts")
    assert [path.name for path in written] == ["rules.yaml", "alertmanager.yaml"]
    shown, routes = (yaml.safe_load(path.read_text()) for path in written)
    assert shown == yaml.safe_load(rules[stack].read_text())
    assert for_debians_amtool(routes) == yaml.safe_load(configs[stack].read_text())
