"""What people do to the running system by ``ops``: maintenance, and an upgrade that does not do."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.deploying import PREVIEW, UP, stack_file, with_annotated_ingress, with_settings
from tests.cluster.environment import Environment
from tests.cluster.observing import NAMESPACE, prometheus, result
from tests.cluster.reaching import fetch, write_authority
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def authority(system: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the cluster's authority, as a user would install it."""
    return write_authority(system, tmp_path_factory.mktemp("authority"))


def _suspended(system: Environment) -> set[bool]:
    found = system.get("cronjobs", NAMESPACE)["items"]
    assert found
    return {item["spec"]["suspend"] for item in found}


def _rules(system: Environment) -> dict[str, Any]:
    spec = system.get("ingress", "api-gateway", NAMESPACE)["spec"]
    return {"tls": spec["tls"], "rules": spec["rules"]}


def test_deployments_and_ops_maintenance_leave_one_another_alone(
    system: Environment, authority: Path, tmp_path: Path
) -> None:
    before = _rules(system)
    zone = with_settings(tmp_path, f"{stack_file()}  crypto:timeZone: Europe/Berlin\n")
    annotated = with_annotated_ingress(tmp_path)
    on = result(system.ok("ops", "maintenance", "on", "--reason", "test", "--silent", "--json"))
    try:
        assert (on["mode"], on["jobs"] > 10) == ("on", True)
        wait_until(lambda: fetch(system, authority, "/prices").status == 503, "the page is shown", 60)
        assert _rules(system)["tls"] == before["tls"]
        # A deployment that changes every job leaves them suspended.
        system.ok(*UP, zone)
        zones = {item["spec"]["timeZone"] for item in system.get("cronjobs", NAMESPACE)["items"]}
        assert "Europe/Berlin" in zones
        assert _suspended(system) == {True}
        assert fetch(system, authority, "/prices").status == 503
        # One that would change the Ingress is refused, and says because of whom.
        refused = system.run(*PREVIEW, annotated)
        assert refused.code != 0
        assert "ops-maintenance" in refused.output
        assert result(system.ok("ops", "maintenance", "status", "--json"))["mode"] == "on"
        # Prometheus sees the page where users see it, and counts the time.
        pending = 'ALERTS{alertname="MaintenanceLeftOn", alertstate="pending"}'
        wait_until(lambda: bool(prometheus(system, "query", query=pending)["result"]), "the page's time is counted")
        jobs = {job["metadata"]["name"] for job in system.get("jobs", NAMESPACE)["items"]}
    finally:
        off = result(system.ok("ops", "maintenance", "off", "--silent", "--json"))
    assert off["mode"] == "off"
    assert _rules(system) == before
    assert _suspended(system) == {False}
    wait_until(lambda: fetch(system, authority, "/api/health").status == 200, "the gateway answers again", 60)
    # Nothing of what was missed has started; what is due now may.
    started = {job["metadata"]["name"] for job in system.get("jobs", NAMESPACE)["items"]} - jobs
    assert started & set(off["missed"]) == set()
    assert not [name for name in started if name.rpartition("-")[0] in off["missed"]]
    # And now the Ingress can be changed, without a conflict.
    system.ok(*UP, annotated)
    system.ok(*UP)
    system.ok(*PREVIEW, "--expect-no-changes")


@contextmanager
def _users(system: Environment, authority: Path) -> Generator[list[int]]:
    """Somebody who asks again and again; what he was answered."""
    answers: list[int] = []
    leave = threading.Event()

    def ask() -> None:
        while not leave.wait(0.2):
            try:
                answers.append(fetch(system, authority, "/api/health").status)
            except OSError:
                answers.append(0)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        leave.set()
        thread.join(30)


def test_an_image_that_does_not_come_up_is_undone_while_requests_keep_succeeding(
    system: Environment, authority: Path
) -> None:
    def image() -> str:
        spec = system.get("deployment", "api-gateway", NAMESPACE)["spec"]["template"]["spec"]
        return spec["containers"][0]["image"]

    good = image()
    # It exists and starts, and is not what its probes ask for.
    bad = system.image("redis")
    with _users(system, authority) as answers:
        answer = system.run("ops", "upgrade", "api-gateway", bad, "--timeout", "20", "--json")
    said = result(answer.output.partition("\nops upgrade:")[0])

    assert answer.code == 1
    assert f"undone: {good} runs again and answers" in said["error"]
    assert image() == good
    pods = system.get("pods", NAMESPACE, "--selector=app=api-gateway", "--field-selector=status.phase=Running")["items"]
    assert pods
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {good}
    assert len(answers) > 20
    assert set(answers) == {200}
