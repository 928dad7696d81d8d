"""Simulated incidents: which there are, where they are refused, and what a faster pace changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from runbook import alerts, simulations
from scripts.cli import app
from scripts.clients.kubernetes import Cluster, NotFoundError
from scripts.exits import TemporaryError, UsageError
from scripts.simulation import faults, pace, place, run
from scripts.simulation.place import Place


class _Cluster(Cluster):
    """A cluster that has these objects, by their addresses."""

    def __init__(self, objects: dict[str, Any]) -> None:
        self.objects = objects
        self.asked: list[str] = []

    def get(self, path: str, parameters: Any = None) -> Any:  # noqa: ARG002 (as the client is asked)
        self.asked.append(path)
        if path not in self.objects:
            raise NotFoundError(path)
        return self.objects[path]


@dataclass
class _Settings:
    namespace: str


class _Changed(_Cluster):
    """A cluster that notes what is applied and deleted, by kind."""

    def __init__(self, objects: dict[str, Any]) -> None:
        super().__init__(objects)
        self.changes: list[tuple[str, str]] = []

    def apply(self, path: str, *_body: Any, **_options: Any) -> None:
        self.changes.append(("apply", path.split("/")[-2]))

    def delete(self, path: str) -> None:
        self.changes.append(("delete", path.split("/")[-2]))


_NOTIFICATIONS = "/apis/apps/v1/namespaces/monitoring/deployments/notifications"
_CLASS = "/apis/storage.k8s.io/v1/storageclasses/standard"


def test_every_incident_has_a_fault_and_an_alert() -> None:
    assert set(faults.ALL) == set(simulations.BY_NAME)
    assert len(simulations.ALL) >= 11
    assert all(simulation.alert.name in alerts.BY_NAME for simulation in simulations.ALL)


@pytest.mark.parametrize(
    "objects", [{}, {_CLASS: {"provisioner": "ebs.csi.aws.com"}}, {_CLASS: {}}], ids=["none", "other", "nobody's"]
)
def test_a_simulation_is_refused_anywhere_but_in_the_embedded_environment(objects: dict[str, Any]) -> None:
    cluster = _Cluster(objects)
    with pytest.raises(UsageError, match="is not the embedded environment"):
        place.find(cluster, settings=None)  # type: ignore[arg-type] - not asked
    assert cluster.asked == [_CLASS]


@pytest.mark.parametrize(
    ("text", "factor", "shorter"), [("5m", 10, "30s"), ("30s", 10, "3s"), ("1h30m", 10, "540s"), ("5s", 10, "1s")]
)
def test_a_faster_pace_divides_durations(text: str, factor: int, shorter: str) -> None:
    assert pace.faster(text, factor) == shorter


@pytest.mark.parametrize("text", ["0s", "soon", ""])
def test_what_is_no_time_stays(text: str) -> None:
    assert pace.faster(text, 10) == text


def test_a_faster_pace_changes_times_and_no_limit() -> None:
    rule = {"alert": "A", "expr": "rate(x[5m]) > 300 and y[30s] > 5", "for": "10m", "labels": {"severity": "P1"}}
    spec = {"groups": [{"name": "g", "interval": "30s", "rules": [rule]}]}
    fast = pace.scaled(spec, 10)["groups"][0]
    assert fast["interval"] == "3s"
    assert fast["rules"][0] == {**rule, "expr": "rate(x[30s]) > 300 and y[3s] > 5", "for": "60s"}
    assert spec["groups"][0]["interval"] == "30s", "what was there is not changed"


def test_a_simulation_is_told_in_the_hours_of_a_maintenance_too() -> None:
    windows = [{"name": "weekly", "timeIntervals": [{"weekdays": ["tuesday"]}]}]
    spec = {"muteTimeIntervals": windows, "route": {"routes": [{"receiver": "p2", "muteTimeIntervals": ["weekly"]}]}}
    fast = pace.scaled(spec, 20)
    assert fast["muteTimeIntervals"] == windows
    assert fast["route"]["routes"] == [{"receiver": "p2", "muteTimeIntervals": []}]


def test_no_pace_asks_for_more_than_a_scrape_in_three_seconds() -> None:
    endpoint = {"port": "http", "interval": "30s", "scrapeTimeout": "10s"}
    spec: dict[str, Any] = {"endpoints": [endpoint], "groups": [{"name": "g", "interval": "30s", "rules": []}]}
    fast = pace.scaled(spec, 20)
    assert fast["endpoints"] == [{"port": "http", "interval": "3s", "scrapeTimeout": "3s"}]
    assert fast["groups"][0]["interval"] == "3s"


def test_a_faster_scrape_is_not_given_longer_than_its_interval() -> None:
    endpoint = {"port": "http", "interval": "30s", "scrapeTimeout": "10s"}
    assert pace.scaled({"endpoints": [endpoint]}, 10)["endpoints"] == [
        {"port": "http", "interval": "3s", "scrapeTimeout": "3s"}
    ]


def _told(status: str, receiver: str = "p3", name: str = "RedisMemoryHigh") -> dict[str, Any]:
    alert = {"status": status, "labels": {"alertname": name}, "annotations": {"summary": "s"}}
    return {"at": "2026-11-29T22:00:00Z", "notification": {"receiver": f"crypto/routes/{receiver}", "alerts": [alert]}}


@pytest.mark.parametrize(
    ("firing", "told", "over"),
    [
        ([], [_told("firing"), _told("resolved")], True),
        ([], [_told("firing"), _told("resolved"), _told("firing")], False),
        (["RedisMemoryHigh"], [_told("firing"), _told("resolved")], False),
        (["RedisDown"], [_told("firing"), _told("resolved")], True),
        ([], [_told("firing"), _told("resolved", "p2"), _told("resolved", name="RedisDown")], False),
        ([], [], False),
    ],
    ids=["told", "told to fire again", "fires", "another fires", "others were told", "nobody was told"],
)
def test_an_incident_is_over_when_its_alert_is_gone_and_its_receiver_was_told_so_last(
    firing: list[str], told: list[Any], over: bool
) -> None:
    labels = [{"alertname": name} for name in firing]
    assert run.is_over(simulations.BY_NAME["redis-memory"], labels, told) is over


class _Service:
    """A workload with pods of these names, and what each was told; ``gone`` and ``deaf`` ones do not answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.told: list[tuple[str, object]] = []
        self.gone: set[str] = set()
        self.deaf: set[str] = set()
        self._names = names
        monkeypatch.setattr(faults, "ask", self._ask)

    def pods(self, _app: str) -> Iterator[Any]:
        for name in self._names:
            if name not in self.gone:
                yield {"metadata": {"name": name, "uid": name}, "status": {"podIP": name}}

    def _ask(self, _method: str, url: str, body: object) -> None:
        name = url.removeprefix("http://").partition(":")[0]
        if name in self.gone | self.deaf:
            raise TemporaryError(f"{url}: no answer")
        self.told.append((name, body))


def test_a_fault_ends_in_each_pod_that_is_left_when_one_went_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    service = _Service(monkeypatch, "a", "b", "c")
    with faults.kafka_lag(cast("Place", service)):
        service.told.clear()
        service.gone.add("b")
    assert [entry for entry in service.told if entry[1] == {"lag": False}] == [
        ("c", {"lag": False}),
        ("a", {"lag": False}),
    ]


def test_a_pod_that_keeps_its_fault_is_named_after_the_others_have_lost_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    service = _Service(monkeypatch, "a", "b")
    with pytest.raises(TemporaryError, match="http://b:"), faults.kafka_lag(cast("Place", service)):
        service.deaf.add("b")
    assert service.told[-1] == ("a", {"lag": False})


def test_prometheus_sees_the_exporter_of_a_full_volume_go_before_its_monitor_goes() -> None:
    cluster = _Changed({_NOTIFICATIONS: {"spec": {"template": {"spec": {"containers": [{"image": "python"}]}}}}})
    where = place.Place(cluster, cast("Any", _Settings("crypto")), "http://notifications")
    with where.afterwards:
        with faults.ALL["disk"](where):
            assert [kind for _, kind in cluster.changes] == ["pods", "services", "servicemonitors"]
            cluster.changes.clear()
        assert cluster.changes == [("delete", "pods"), ("delete", "services")]
    assert cluster.changes[2:] == [("delete", "servicemonitors")]


def test_an_answer_that_does_not_come_now_ends_no_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    def question() -> int:
        raise TemporaryError("http://prometheus: ReadTimeout")

    assert run.answered(question) is None
    assert "http://prometheus: ReadTimeout; asking again" in capsys.readouterr().err
    assert run.answered(lambda: 7) == 7


def test_an_unknown_incident_is_one_line_that_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: str | None) -> None: ...

    monkeypatch.setattr("scripts.config.load", load)
    answer = CliRunner().invoke(app, ["incident", "simulate", "earthquake", "--json"])
    assert answer.exit_code == 2
    assert "'earthquake' is no simulation" in answer.output
    assert all(name in answer.output for name in simulations.BY_NAME)
