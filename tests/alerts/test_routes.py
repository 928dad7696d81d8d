"""The routes, judged by amtool on the configuration that the operator would make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook import alerts
from runbook.alerting import routing
from runbook.alerting.model import Alert
from runbook.alerting.watching import WATCHDOG
from tests.alerts.tools import run


def _expected(alert: Alert) -> str:
    if alert is WATCHDOG:
        return routing.HEARTBEAT
    called = [route.receiver for route in routing.ROUTES if route.receiver.severity is alert.severity]
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
    assert f"{len(routing.INHIBITIONS)} inhibit rules" in checked.stdout


@pytest.mark.parametrize("alert", alerts.ALL, ids=lambda alert: alert.name)
def test_an_alert_reaches_exactly_its_receivers(alert: Alert, configs: dict[str, Path]) -> None:
    labels = {"alertname": alert.name, "severity": alert.severity.name, "namespace": "crypto"}
    code, said = _route(configs["prod"], labels, _expected(alert))
    assert code == 0, said


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
