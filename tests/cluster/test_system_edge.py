"""The way in: TLS by the cluster's own authority, and maintenance as a setting of the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.environment import ROOT, Environment, wait_until
from tests.cluster.observing import NAMESPACE
from tests.cluster.reaching import fetch, write_authority


@pytest.fixture(scope="module")
def authority(system: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the cluster's authority, as a user would install it."""
    return write_authority(system, tmp_path_factory.mktemp("authority"))


def test_users_reach_the_gateway_by_a_certificate_of_the_authority(system: Environment, authority: Path) -> None:
    assert fetch(system, authority, "/api/health").status == 200


def test_every_certificate_is_ready(system: Environment) -> None:
    found = system.get("certificates.cert-manager.io", "--all-namespaces")["items"]
    names = {item["metadata"]["name"] for item in found}
    assert {"tls-secret", "grafana-tls", "crypto-ca"} <= names
    for item in found:
        conditions = {entry["type"]: entry["status"] for entry in item["status"]["conditions"]}
        assert conditions["Ready"] == "True", item["metadata"]["name"]


def test_maintenance_shows_the_page_under_the_same_name_and_ends_as_it_began(
    system: Environment, authority: Path
) -> None:
    config = system.instance.state_dir / "Pulumi.local.yaml"
    config.write_text((ROOT / "Pulumi.local.yaml").read_text() + "  crypto:maintenance: true\n")
    up = ("pulumi", "up", "--stack=local", "--yes", "--skip-preview", "--non-interactive")
    tls = system.get("ingress", "api-gateway", NAMESPACE)["spec"]["tls"]
    system.ok(*up, f"--config-file={config}")
    try:
        wait_until(lambda: "maintenance" in fetch(system, authority, "/prices").body, 60, "the page is shown")
        assert fetch(system, authority, "/prices").status == 503
        assert system.get("ingress", "api-gateway", NAMESPACE)["spec"]["tls"] == tls
        suspended = {item["spec"]["suspend"] for item in system.get("cronjobs", NAMESPACE)["items"]}
        assert suspended == {True}
    finally:
        system.ok(*up)
    wait_until(lambda: fetch(system, authority, "/api/health").status == 200, 60, "the gateway answers again")
    jobs = system.get("cronjobs", NAMESPACE)["items"]
    assert jobs
    assert {item["spec"]["suspend"] for item in jobs} == {False}
