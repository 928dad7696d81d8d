"""What the cluster's Prometheus and Alertmanager make of what the program declares."""

from __future__ import annotations

import json
import urllib.request

from runbook import alerts, exporters, services
from tests.cluster.environment import Environment
from tests.cluster.observing import prometheus
from tests.program.settings import load
from tests.waiting import wait_until


def test_every_service_and_exporter_is_a_target_that_is_up(system: Environment) -> None:
    expected = {spec.name for spec in services.ALL} | {exporter.name for exporter in exporters.ALL}

    def up() -> set[str]:
        found = prometheus(system, "query", query='up{namespace="crypto"} == 1')["result"]
        return {item["metric"]["job"] for item in found}

    wait_until(lambda: expected <= up(), f"targets up: {sorted(expected)}", 180)


def test_the_exporters_see_their_datastores(system: Environment) -> None:
    for query in ("pg_up == 1", "redis_up == 1", "kafka_brokers >= 1", 'kafka_topic_partitions{topic="price_updates"}'):
        wait_until(lambda query=query: bool(prometheus(system, "query", query=query)["result"]), query)


def test_prometheus_has_loaded_every_rule_of_the_runbook_without_an_error(system: Environment) -> None:
    expected = {alert.name for alert in alerts.ALL}

    def loaded() -> dict[str, str]:
        groups = prometheus(system, "rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    wait_until(lambda: expected <= loaded().keys(), "every alert is loaded")
    wait_until(lambda: {loaded()[name] for name in expected} == {"ok"}, "every alert was evaluated")


def test_the_sign_of_life_reaches_the_alertmanager_by_the_systems_own_route(system: Environment) -> None:
    pod = system.get("pod", "alertmanager-main-0", "--namespace=monitoring")
    url = f"http://{pod['status']['podIP']}:9093/api/v2/alerts"
    receiver = f"{load('local').namespace}/crypto-routes/heartbeat"

    def received() -> bool:
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = json.load(answer)
        return any(
            item["labels"]["alertname"] == "Watchdog" and receiver in [entry["name"] for entry in item["receivers"]]
            for item in found
        )

    wait_until(received, f"Watchdog arrives at {receiver}")
