"""What both stacks promise about the network: closed but for the flows of the table."""

from __future__ import annotations

from typing import Any

import pytest

from components import network
from runbook import database_roles, datastores, flows, jobs, services, settings
from runbook.flows import Outside
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import load, stack_values


def _policies(stack: list[Registered]) -> dict[str, dict[str, Any]]:
    return {item.inputs["metadata"]["name"]: item.inputs["spec"] for item in look.of(stack, "NetworkPolicy")}


def _opened(stack: list[Registered]) -> set[tuple[str, str, int]]:
    """Pairs of pods (by label ``app``) and ports that are open on both sides."""
    outgoing: set[tuple[str, str, int]] = set()
    incoming: set[tuple[str, str, int]] = set()
    for name, spec in _policies(stack).items():
        for rule in spec.get("egress", []):
            outgoing |= {(name, app, port) for app, port in _pairs(rule["to"], rule["ports"])}
        for rule in spec.get("ingress", []):
            incoming |= {(app, name, port) for app, port in _pairs(rule["from"], rule["ports"])}
    return outgoing & incoming


def _pairs(peers: list[dict[str, Any]], ports: list[dict[str, Any]]) -> list[tuple[str, int]]:
    apps = [peer["podSelector"]["matchLabels"]["app"] for peer in peers if set(peer) == {"podSelector"}]
    return [(app, port["port"]) for app in apps for port in ports]


def test_everything_is_closed_by_default_in_both_directions(stack: list[Registered]) -> None:
    closed = _policies(stack)[network.DENY_ALL]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_running_system_is_opened_before_it_is_closed(stack: list[Registered]) -> None:
    policies = look.of(stack, "NetworkPolicy")
    closing = next(item for item in policies if item.inputs["metadata"]["name"] == network.DENY_ALL)
    waited = {urn.rsplit("::", 1)[-1] for urn in closing.depends_on}
    assert {item.name for item in policies} - {closing.name} <= waited


@pytest.mark.parametrize("name", ["local", "prod"])
def test_what_is_open_between_pods_is_the_table_and_nothing_else(name: str, request: pytest.FixtureRequest) -> None:
    table = {
        (flow.source, flow.target, port)
        for flow in flows.flows(load(name))
        if not isinstance(flow.source, Outside) and not isinstance(flow.target, Outside)
        for port in flow.ports
    }
    assert len(table) > 20
    assert _opened(request.getfixturevalue(f"{name}_stack")) == table


def test_every_pod_of_the_system_takes_part(stack: list[Registered]) -> None:
    selected = {
        spec["podSelector"]["matchLabels"]["app"]
        for spec in _policies(stack).values()
        if spec["podSelector"].get("matchLabels", {}).get("app")
    }
    assert selected == set(look.labels(stack))


def test_only_pgbouncer_the_exporter_and_the_jobs_reach_postgres(stack: list[Registered]) -> None:
    sources = {source for source, target, _ in _opened(stack) if target == datastores.POSTGRES.name}
    assert not sources & set(services.BY_NAME)
    assert sources <= {"pgbouncer", "postgres-exporter", database_roles.SETUP_JOB, *jobs.BY_NAME}


def test_only_the_gateway_and_the_maintenance_page_are_open_to_users(stack: list[Registered]) -> None:
    controller = load("local").ingress.controller_namespace, load("prod").ingress.controller_namespace
    opened: set[str] = set()
    for name, spec in _policies(stack).items():
        for rule in spec.get("ingress", []):
            if (
                rule["from"][0].get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
                in controller
            ):
                opened.add(name)
    assert opened - {network.ACME_SOLVER} == {"api-gateway", "maintenance"}


def test_a_job_without_rights_cannot_reach_the_kubernetes_api(prod_stack: list[Registered]) -> None:
    policies = _policies(prod_stack)
    for job in jobs.ALL:
        reaches = any(port["port"] == 6443 for rule in policies[job.name]["egress"] for port in rule["ports"])
        assert reaches == bool(job.rights), job.name


def test_every_pod_may_ask_dns(stack: list[Registered]) -> None:
    spec = _policies(stack)[network.ALLOW_DNS]
    assert spec["podSelector"] == {}
    ports = {(port["protocol"], port["port"]) for port in spec["egress"][0]["ports"]}
    assert {("UDP", 53), ("TCP", 53)} <= ports


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("apiServerCidrs", Outside.API_SERVER),
        ("awsCidrs", Outside.AWS),
        ("mailCidrs", Outside.MAIL),
        ("chatCidrs", Outside.CHAT),
    ],
)
def test_a_party_outside_is_reached_at_its_networks_alone(key: str, target: Outside) -> None:
    networks = ["10.7.0.0/16", "fd00:7::/64"]
    chosen = settings.load({**stack_values("prod"), "network": {key: networks}})
    table = {str(flow.source): flow.ports for flow in flows.flows(chosen) if flow.target is target}
    assert table
    # By policy, the ports of each rule that leads to these networks: theirs, and of nobody else's policy.
    found = {
        name: tuple(port["port"] for port in rule["ports"])
        for name, spec in _policies(engine.registered(chosen, key)).items()
        for rule in spec.get("egress", [])
        if _addresses(rule) == networks
    }
    assert found == table


def _addresses(rule: dict[str, Any]) -> list[str]:
    return [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer]


def test_production_opens_nothing_to_everywhere(prod_stack: list[Registered]) -> None:
    reached = [
        cidr for spec in _policies(prod_stack).values() for rule in spec.get("egress", []) for cidr in _addresses(rule)
    ]
    assert reached
    assert not {"0.0.0.0/0", "::/0"} & set(reached)


def test_an_external_datastore_is_reached_at_its_network_and_nothing_of_it_is_declared() -> None:
    values = stack_values("prod")
    values["postgres"] = {"external": {"host": "db.example.com", "port": 5432, "cidr": "10.1.0.0/16"}}
    values["redis"] = {"external": {"host": "cache.example.com", "port": 6380, "cidr": "10.2.0.0/16"}}
    values["kafka"] = {"external": {"bootstrap": ["b1.example.com:9094"], "cidr": "10.3.0.0/16"}}
    chosen = settings.load(values)
    stack = engine.registered(chosen, "external")
    assert not [item for item in stack if item.token.endswith(":StatefulSet")]
    policies = _policies(stack)
    reached = {
        (peer["ipBlock"]["cidr"], port["port"])
        for name in ("pgbouncer", "analytics")
        for rule in policies[name]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
        for port in rule["ports"]
    }
    assert reached == {("10.1.0.0/16", 5432), ("10.2.0.0/16", 6380), ("10.3.0.0/16", 9094)}
    shared = look.named(stack, "ConfigMap", "app-config")["data"]
    assert (shared["REDIS_HOST"], shared["REDIS_TLS"]) == ("cache.example.com", "true")
    assert shared["KAFKA_BOOTSTRAP_SERVERS"] == "b1.example.com:9094"
    ini = look.named(stack, "ConfigMap", "pgbouncer-config")["data"]["pgbouncer.ini"]
    assert "host=db.example.com port=5432" in ini
    assert "server_tls_sslmode = require" in ini
    assert "server_tls_ca_file" not in ini
