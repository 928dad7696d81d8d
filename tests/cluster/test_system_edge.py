"""The way in: TLS by the cluster's own authority, and maintenance as a setting of the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.deploying import UP, stack_file, with_annotated_ingress, with_settings
from tests.cluster.environment import Environment
from tests.cluster.lagging_api import lagging
from tests.cluster.observing import NAMESPACE
from tests.cluster.reaching import fetch, write_authority
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def authority(system: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the cluster's authority, as a user would install it."""
    return write_authority(system, tmp_path_factory.mktemp("authority"))


@pytest.fixture
def maintenance(tmp_path: Path) -> str:
    """The option of a deployment that begins maintenance."""
    return with_settings(tmp_path, stack_file() + "  crypto:maintenance: true\n")


@pytest.fixture
def annotated(tmp_path: Path) -> str:
    """The option of a deployment that changes the Ingress' metadata and not its spec."""
    return with_annotated_ingress(tmp_path)


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
    system: Environment, authority: Path, maintenance: str
) -> None:
    tls = system.get("ingress", "api-gateway", NAMESPACE)["spec"]["tls"]
    system.ok(*UP, maintenance)
    try:
        wait_until(lambda: "maintenance" in fetch(system, authority, "/prices").body, "the page is shown", 60)
        assert fetch(system, authority, "/prices").status == 503
        assert system.get("ingress", "api-gateway", NAMESPACE)["spec"]["tls"] == tls
        suspended = {item["spec"]["suspend"] for item in system.get("cronjobs", NAMESPACE)["items"]}
        assert suspended == {True}
    finally:
        system.ok(*UP)
    wait_until(lambda: fetch(system, authority, "/api/health").status == 200, "the gateway answers again", 60)
    jobs = system.get("cronjobs", NAMESPACE)["items"]
    assert jobs
    assert {item["spec"]["suspend"] for item in jobs} == {False}


def _entry(system: Environment) -> tuple[Any, Any]:
    found = system.get("ingress", "api-gateway", NAMESPACE)
    return found["spec"], found["metadata"]["annotations"]


@pytest.mark.parametrize("change", ["maintenance", "annotated"])
def test_each_deployment_reaches_the_ingress_where_lists_of_the_api_server_lag_behind(
    system: Environment, change: str, request: pytest.FixtureRequest
) -> None:
    ingresses = "/apis/networking.k8s.io/v1/namespaces/crypto/ingresses"
    before = _entry(system)
    try:
        with lagging(system.instance.kubeconfig, ingresses, 5) as answered_late:
            system.ok(*UP, request.getfixturevalue(change))
        assert answered_late, "the provider asked for no list"
        assert _entry(system) != before
    finally:
        system.ok(*UP)
    assert _entry(system) == before
