"""What both stacks promise about the way in: host, certificate, maintenance."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components import ingress
from components.certificates import grafana_host
from components.context import Context
from runbook import practices, settings
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import load, stack_values


def _certificates(stack: list[Registered]) -> dict[str, dict[str, Any]]:
    return {item.inputs["metadata"]["name"]: item.inputs["spec"] for item in look.of(stack, "v1:Certificate")}


@pytest.mark.parametrize("name", ["local", "prod"])
def test_the_domain_and_grafana_have_certificates(name: str, request: pytest.FixtureRequest) -> None:
    found, chosen = _certificates(request.getfixturevalue(f"{name}_stack")), load(name)
    assert found["tls-secret"]["dnsNames"] == [chosen.domain]
    assert found["grafana-tls"]["dnsNames"] == [grafana_host(chosen)] == [f"grafana.{chosen.domain}"]
    for spec in found.values():
        assert spec["privateKey"]["rotationPolicy"] == "Always"


def test_a_certificate_is_renewed_before_its_alert_speaks(stack: list[Registered]) -> None:
    for name in ("tls-secret", "grafana-tls"):
        hours = int(_certificates(stack)[name]["renewBefore"].removesuffix("h0m0s"))
        assert hours / 24 > practices.CERTIFICATE_WARNING.value


def test_production_is_signed_by_acme_and_local_by_an_authority_of_its_own(
    prod_stack: list[Registered], local_stack: list[Registered]
) -> None:
    issuers = {item.inputs["metadata"]["name"]: item.inputs["spec"] for item in look.of(prod_stack, "ClusterIssuer")}
    assert issuers["crypto-acme"]["acme"]["email"] == load("prod").certificates.email
    assert _certificates(prod_stack)["tls-secret"]["issuerRef"]["name"] == "crypto-acme"
    local = {item.inputs["metadata"]["name"] for item in look.of(local_stack, "ClusterIssuer")}
    assert local == {"crypto-self-signed", "crypto-ca"}
    assert _certificates(local_stack)["tls-secret"]["issuerRef"]["name"] == "crypto-ca"


def test_users_come_in_by_tls_to_the_gateway(stack: list[Registered]) -> None:
    spec = look.named(stack, "Ingress", "api-gateway")["spec"]
    rule = spec["rules"][0]
    assert spec["tls"] == [{"hosts": [rule["host"]], "secretName": "tls-secret"}]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "api-gateway", "port": {"number": 8000}}


def test_an_ingress_is_recorded_as_it_was_applied_and_not_as_a_list_showed_it(stack: list[Registered]) -> None:
    for item in look.of(stack, "Ingress"):
        notes = item.inputs["metadata"]["annotations"]
        address, stamp = json.loads(notes["pulumi.com/waitFor"])
        assert address == "jsonpath={.status.loadBalancer.ingress[0]}"
        name, _, value = stamp.removeprefix("jsonpath={.metadata.annotations['").partition("']}=")
        assert notes[name] == value


def test_the_stamp_of_an_ingress_changes_with_its_metadata() -> None:
    def stamp(**changed: Any) -> str:
        chosen = settings.load({**stack_values("prod"), **changed})
        metadata: Any = ingress.ingress_args(Context(chosen, "crypto")).metadata
        return metadata.annotations["crypto.analytics/metadata-checksum"]

    annotated = {"className": "nginx", "annotations": {"example.com/x": "y"}}
    stamps = [stamp(), stamp(owner="edge"), stamp(maintenance=True), stamp(ingress=annotated)]
    assert len(set(stamps)) == len(stamps)
    assert stamp() == stamps[0]


def test_maintenance_changes_the_backend_and_keeps_host_and_certificate(
    prod_stack: list[Registered], closed_stack: list[Registered]
) -> None:
    open_spec = look.named(prod_stack, "Ingress", "api-gateway")["spec"]
    closed_spec = look.named(closed_stack, "Ingress", "api-gateway")["spec"]
    assert closed_spec["tls"] == open_spec["tls"]
    assert closed_spec["rules"][0]["host"] == open_spec["rules"][0]["host"]
    path = closed_spec["rules"][0]["http"]["paths"][0]
    assert path["backend"]["service"] == {"name": "maintenance", "port": {"number": 80}}


def test_the_maintenance_page_runs_before_it_is_needed(stack: list[Registered]) -> None:
    assert look.named(stack, "Deployment", "maintenance")["spec"]["replicas"] == 2
    page = look.named(stack, "ConfigMap", "maintenance-page")["data"]["index.html"]
    assert "maintenance" in page
    assert "http://" not in page


def test_grafana_gets_an_ingress_where_its_service_is_named() -> None:
    values = {**stack_values("prod"), "monitoring": {"grafana": {"service": "grafana", "namespace": "observability"}}}
    chosen = settings.load(values)
    stack = engine.registered(chosen, "grafana")
    found = look.named(stack, "Ingress", "crypto-grafana")
    assert found["metadata"]["namespace"] == "observability"
    assert found["spec"]["tls"] == [{"hosts": ["grafana.cryptoanalytics.com"], "secretName": "grafana-tls"}]
