"""Incidents on the running system: each fault raises its alert at its receiver, and the alert ends with its fault.

By `ops incident simulate`, all side by side, with the deployed rules, scrapes and routes at SPEED times their pace. The
limits are the runbook's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from local.platform.names import alertmanager_address, notifications_address
from runbook import simulations
from runbook.alerting import datastores, routing, services
from runbook.alerting.model import Alert
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from scripts.simulation import pace
from tests.cluster.environment import Environment
from tests.cluster.observing import no_drift, result
from tests.waiting import wait_until

SPEED: Final = 20
_MONITORING: Final = "monitoring"
_ROUTES: Final = "/apis/monitoring.coreos.com/v1alpha1/namespaces/crypto/alertmanagerconfigs/crypto-routes"


@pytest.fixture(scope="module")
def simulated(system: Environment) -> dict[str, dict[str, Any]]:
    """What was seen of each incident."""
    names = [simulation.name for simulation in simulations.ALL]
    answer = system.run("ops", "incident", "simulate", *names, f"--speed={SPEED}", "--json", timeout=900)
    said = result(answer.output)
    # Exit code 1 is an incident that was not seen, which its own test tells.
    assert said["exit"] in (0, 1), answer.output
    seen = said["simulations"]
    assert len(seen) == len(names) >= 11
    return {item["name"]: item for item in seen}


@pytest.mark.parametrize("simulation", simulations.ALL, ids=lambda simulation: simulation.name)
def test_an_incident_reaches_its_receiver_and_its_end_does_too(
    simulation: simulations.Simulation, simulated: dict[str, dict[str, Any]]
) -> None:
    seen = simulated[simulation.name]
    assert seen["alert"] == simulation.alert.name
    assert seen["fired"] is not None, seen
    assert seen["receiver"] == routing.receiver_of(simulation.alert.severity).name
    assert seen["resolved"] is not None, seen


def test_after_a_simulation_everything_is_as_it_was(system: Environment, simulated: dict[str, Any]) -> None:
    assert simulated
    kinds = "prometheusrules,servicemonitors,alertmanagerconfigs"
    items = system.get(kinds, "--namespace=crypto")["items"]
    assert len(items) > 5
    assert not [item for item in items if pace.ANNOTATION in item["metadata"].get("annotations", {})]
    groups = next(item for item in items if item["kind"] == "PrometheusRule")["spec"]["groups"]
    assert {group["interval"] for group in groups} == {"30s"}
    left = system.ok("kubectl", "get", "pods,jobs", "--all-namespaces", "--output=name")
    assert "simulated" not in left
    no_drift(system)


def _is(labels: dict[str, str], alert: Alert, test: str) -> bool:
    return (labels["alertname"], labels.get("test")) == (alert.name, test)


class _Routes:
    """Alertmanager with the system's own routes, at SPEED times their pace."""

    def __init__(self, system: Environment, cluster: Cluster, deployed: dict[str, Any]) -> None:
        self.deployed = deployed
        self._cluster = cluster
        self._nudge = pace.nudger(cluster, _MONITORING)
        self._alertmanager = f"http://{alertmanager_address(system.instance)}:9093/api/v2"
        self._notifications = f"http://{notifications_address(system.instance)}:8080/"

    def _ask(self, url: str, body: object = None) -> Any:
        with httpx.Client(timeout=10, trust_env=False) as client:
            answer = client.get(url) if body is None else client.post(url, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def raise_alert(self, alert: Alert, test: str, *, over: bool = False) -> None:
        """Sends an alert as Prometheus would."""
        labels = {"alertname": alert.name, "severity": alert.severity.name, "namespace": "crypto", "test": test}
        end = datetime.now(UTC) + timedelta(minutes=0 if over else 10)
        begin = datetime.now(UTC) - timedelta(minutes=1)
        self._ask(
            f"{self._alertmanager}/alerts",
            [{"labels": labels, "startsAt": begin.isoformat(), "endsAt": end.isoformat()}],
        )

    def status(self, alert: Alert, test: str) -> dict[str, Any]:
        """Alertmanager's state of an alert."""
        found = self._ask(f"{self._alertmanager}/alerts")
        mine = (item for item in found if _is(item["labels"], alert, test))
        return next((item["status"] for item in mine), dict[str, Any]())

    def told(self, alert: Alert, test: str) -> list[str]:
        """The receivers that were told of an alert."""
        return [
            entry["notification"]["receiver"].rpartition("/")[2]
            for entry in self._ask(self._notifications)
            for item in entry["notification"]["alerts"]
            if _is(item["labels"], alert, test)
        ]

    def configure(self, spec: dict[str, Any], sign: str) -> None:
        """Changes the routes, and waits until Alertmanager has them: then ``sign`` stands in its configuration."""
        self._cluster.patch(_ROUTES, {"spec": spec})

        def loaded() -> bool:
            self._nudge()
            return sign in self._ask(f"{self._alertmanager}/status")["config"]["original"]

        wait_until(loaded, f"Alertmanager's configuration has {sign!r}")

    def spec(self) -> dict[str, Any]:
        """The routes as they are."""
        return self._cluster.get(_ROUTES)["spec"]


def _muted(paced: dict[str, Any], deployed: dict[str, Any]) -> dict[str, Any]:
    """The routes of a simulation, which are never muted, muted as the deployed ones."""
    pairs = zip(paced["routes"], deployed["routes"], strict=True)
    muted = [{**own, "muteTimeIntervals": there.get("muteTimeIntervals", [])} for own, there in pairs]
    assert any(route["muteTimeIntervals"] for route in muted)
    return {**paced, "routes": muted}


@pytest.fixture(scope="module")
def routes(system: Environment, simulated: dict[str, Any]) -> Iterator[_Routes]:
    assert simulated
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", system.shell["KUBECONFIG"])
        with kubernetes.connect(30) as cluster:
            deployed = cluster.get(_ROUTES)["spec"]
            with pace.pace(cluster, "crypto", _MONITORING, SPEED):
                found = _Routes(system, cluster, deployed)
                found.configure(found.spec(), "group_wait: 3s")
                yield found


def test_a_cause_silences_what_follows_from_it_until_it_is_over(routes: _Routes) -> None:
    cause, effect = datastores.DATABASE_DOWN, services.PRICES_NOT_UPDATED
    routes.raise_alert(cause, "inhibition")
    wait_until(lambda: routes.status(cause, "inhibition").get("state") == "active", "the cause fires", 30)
    routes.raise_alert(effect, "inhibition")
    wait_until(lambda: bool(routes.status(effect, "inhibition").get("inhibitedBy")), "the effect is silenced", 30)
    wait_until(lambda: "p1" in routes.told(cause, "inhibition"), "people hear of the cause", 60)
    assert routes.told(effect, "inhibition") == []
    routes.raise_alert(cause, "inhibition", over=True)
    wait_until(lambda: "p2" in routes.told(effect, "inhibition"), "people hear of what goes on without it")
    routes.raise_alert(effect, "inhibition", over=True)


def test_maintenance_mutes_what_is_no_p1_and_a_p1_is_told(routes: _Routes) -> None:
    urgent, other = services.API_GATEWAY_DOWN, datastores.CONSUMERS_MISSING
    before = routes.spec()
    weekly = before["muteTimeIntervals"][0]
    always = [{"times": [{"startTime": "00:00", "endTime": "24:00"}]}]
    now = [{**weekly, "timeIntervals": always}, *before["muteTimeIntervals"][1:]]
    routes.configure({"muteTimeIntervals": now, "route": _muted(before["route"], routes.deployed["route"])}, "24:00")
    try:
        routes.raise_alert(other, "mute")
        routes.raise_alert(urgent, "mute")
        wait_until(lambda: "p1" in routes.told(urgent, "mute"), "a P1 is told in a maintenance", 60)
        # Three times as long as its group waits: it would have been told.
        waits = next(route.wait for route in routing.ROUTES if route.receiver == routing.receiver_of(other.severity))
        silent = time.monotonic() + 3 * waits / SPEED
        wait_until(lambda: bool(routes.told(other, "mute")) or time.monotonic() > silent, "time passes", 60)
        assert routes.told(other, "mute") == []
    finally:
        routes.configure({key: before[key] for key in ("muteTimeIntervals", "route")}, "02:00")
    wait_until(lambda: "p2" in routes.told(other, "mute"), "the rest is told when the maintenance is over")
    for alert in (urgent, other):
        routes.raise_alert(alert, "mute", over=True)
