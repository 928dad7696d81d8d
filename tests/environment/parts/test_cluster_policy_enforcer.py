"""The daemon of the network policies: records of addresses, copies of the API's objects, and who waits for rules."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

import pytest

from local.cluster import cni_plugin, nft, policy_enforcer
from local.cluster.network_policies import Pod
from local.cluster.nft import Flow
from local.cluster.policy_enforcer import COLLECTIONS, Enforcer, Record, describe, known_pods, read_records
from scripts.clients.kubernetes import Cluster

POLICY: dict[str, Any] = {"metadata": {"uid": "p", "name": "deny", "namespace": "crypto"}, "spec": {"podSelector": {}}}


def _pod(uid: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid, "name": f"name-{uid}", "namespace": "crypto", "labels": labels},
        "spec": {"containers": []},
    }


class FakeApi:
    """Collections as a watch of them tells them, once."""

    def __init__(self, collections: dict[str, list[dict[str, Any]]]) -> None:
        self.collections = collections

    def watch(self, path: str, _lost: object) -> Iterator[list[dict[str, Any]]]:
        yield self.collections[path.rpartition("/")[2]]


def _api(fake: FakeApi) -> Cluster:
    return cast("Cluster", fake)


def _record(folder: Path, container: str, uid: str, address: str, changed: int = 0) -> None:
    (folder / container).write_text(json.dumps({"uid": uid, "address": address}))
    os.utime(folder / container, ns=(changed, changed))


def test_records_are_read_by_container_and_half_written_ones_are_not(tmp_path: Path) -> None:
    _record(tmp_path, "c1", "u1", "10.244.0.2")
    (tmp_path / ".c2").write_text('{"uid": "u2", "addr')
    assert read_records(tmp_path) == {"c1": Record("u1", IPv4Address("10.244.0.2"))}


def test_an_address_belongs_to_the_newest_record_of_it(tmp_path: Path) -> None:
    _record(tmp_path, "a-newer", "u2", "10.244.0.2", changed=2_000)
    _record(tmp_path, "b-older", "u1", "10.244.0.2", changed=1_000)
    _record(tmp_path, "c", "u3", "10.244.0.3", changed=500)
    assert set(read_records(tmp_path)) == {"a-newer", "c"}


def test_a_pod_is_known_by_its_record_and_its_object_and_by_neither_alone() -> None:
    records = {"c1": Record("u1", IPv4Address("10.244.0.2")), "c2": Record("gone", IPv4Address("10.244.0.3"))}
    found = known_pods(records, [_pod("u1", app="api"), _pod("without-record")])
    assert found == {"c1": Pod("crypto", "name-u1", {"app": "api"}, IPv4Address("10.244.0.2"))}


class Kernel:
    """Stands for nft: remembers the scripts that it got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scripts: list[str] = []
        self.flows: list[Flow] = []
        self.in_force = True
        monkeypatch.setattr(nft, "apply", self.scripts.append)
        monkeypatch.setattr(nft, "is_in_force", lambda: self.in_force)
        monkeypatch.setattr(nft, "refused", lambda: self.flows)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def _fake(*pods: dict[str, Any]) -> FakeApi:
    namespaces = [{"metadata": {"uid": "n", "name": "crypto"}}]
    return FakeApi({"pods": list(pods), "namespaces": namespaces, "networkpolicies": [POLICY]})


def _enforcer(folder: Path, fake: FakeApi) -> Enforcer:
    enforcer = Enforcer(_api(fake), folder)
    for path in COLLECTIONS:
        enforcer.follow(path)
    return enforcer


def test_nothing_is_put_in_force_before_everything_was_read_once(tmp_path: Path, kernel: Kernel) -> None:
    enforcer = Enforcer(_api(_fake()), tmp_path)
    for path in COLLECTIONS:
        assert not enforcer.reconcile()
        enforcer.follow(path)
    assert kernel.scripts == []
    assert enforcer.reconcile()


def test_rules_are_replaced_only_where_they_differ(tmp_path: Path, kernel: Kernel) -> None:
    _record(tmp_path, "c1", "u1", "10.244.0.2")
    enforcer = _enforcer(tmp_path, _fake(_pod("u1")))
    assert enforcer.reconcile()
    assert enforcer.reconcile()
    assert len(kernel.scripts) == 1
    assert "chain ingress-10.244.0.2" in kernel.scripts[0]


def test_rules_that_somebody_flushed_come_back(tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_enforcer, "RESYNC_SECONDS", 0)
    enforcer = _enforcer(tmp_path, _fake())
    enforcer.reconcile()
    kernel.in_force = False
    enforcer.reconcile()
    assert len(kernel.scripts) == 2


def test_a_pod_that_has_ended_leaves_no_rule(tmp_path: Path, kernel: Kernel) -> None:
    _record(tmp_path, "c1", "u1", "10.244.0.2")
    enforcer = _enforcer(tmp_path, _fake(_pod("u1")))
    enforcer.reconcile()
    (tmp_path / "c1").unlink()
    enforcer.reconcile()
    assert "10.244.0.2" in kernel.scripts[0]
    assert "10.244.0.2" not in kernel.scripts[1]


@pytest.mark.usefixtures("kernel")
def test_a_container_waits_until_its_pod_is_known_and_its_rules_are_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _record(tmp_path, "c1", "u1", "10.244.0.2")
    fake = _fake()
    enforcer = _enforcer(tmp_path, fake)
    enforcer.reconcile()
    with monkeypatch.context() as patch:
        patch.setattr(policy_enforcer, "ANSWER_SECONDS", 0)
        assert not enforcer.await_rules("c1")
        assert enforcer.await_rules("never-recorded")
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(enforcer.await_rules("c1")))
    enforcer.changed.clear()
    waiting.start()
    assert enforcer.changed.wait(5)
    fake.collections["pods"] = [_pod("u1")]
    enforcer.follow("/api/v1/pods")
    enforcer.reconcile()
    waiting.join(5)
    assert answers == [True]


def test_a_refused_connection_is_told_once_with_the_names_of_its_ends(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(policy_enforcer, "RESYNC_SECONDS", 0)
    _record(tmp_path, "c1", "u1", "10.244.0.2")
    enforcer = _enforcer(tmp_path, _fake(_pod("u1")))
    enforcer.reconcile()
    kernel.flows = [Flow(IPv4Address("10.244.0.2"), IPv4Address("10.231.0.2"), "UDP", 53)]
    enforcer.reconcile()
    enforcer.reconcile()
    assert capsys.readouterr().out == "refused: crypto/name-u1 (10.244.0.2) -> 10.231.0.2 UDP 53\n"


def test_refused_connections_are_read_from_what_nft_prints() -> None:
    text = """{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"set": {"name": "denied", "elem": [
        {"concat": ["10.0.0.1", "10.0.0.2", 6, 80]}, {"concat": ["10.0.0.1", "10.0.0.3", 132, 90]}]}}]}"""
    first, second = (IPv4Address(f"10.0.0.{n}") for n in (2, 3))
    source = IPv4Address("10.0.0.1")
    assert nft.parse_flows(text) == [Flow(source, first, "TCP", 80), Flow(source, second, "SCTP", 90)]
    assert nft.parse_flows('{"nftables": [{"set": {"name": "denied"}}]}') == []


def test_an_end_that_is_no_pod_is_told_by_its_address() -> None:
    flow = Flow(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), "TCP", 1)
    assert describe(flow, []) == "refused: 10.0.0.1 -> 10.0.0.2 TCP 1"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        yield server


def _answer(listener: socket.socket, text: bytes) -> threading.Thread:
    def once() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(100))
            connection.sendall(text)

    asked: list[bytes] = []
    thread = threading.Thread(target=once, daemon=True)
    thread.start()
    return thread


def _config(tmp_path: Path) -> dict[str, Any]:
    return {
        "cniVersion": "1.0.0",
        "folder": str(tmp_path / "pods"),
        "socket": str(tmp_path / "socket"),
        "prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "10.244.0.2/24"}]},
    }


def _run_plugin(
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    config: dict[str, Any],
    arguments: str = "IgnoreUnknown=1;K8S_POD_UID=u1",
) -> int:
    monkeypatch.setenv("CNI_COMMAND", command)
    monkeypatch.setenv("CNI_CONTAINERID", "c1")
    monkeypatch.setenv("CNI_ARGS", arguments)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(config)))
    return cni_plugin.main()


def test_the_plugin_records_the_address_and_hands_on_the_result_once_the_rules_are_in_force(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _config(tmp_path)
    answering = _answer(listener, b"ok\n")
    assert _run_plugin(monkeypatch, "ADD", config) == 0
    answering.join(5)
    assert json.loads(capsys.readouterr().out) == config["prevResult"]
    assert read_records(tmp_path / "pods") == {"c1": Record("u1", IPv4Address("10.244.0.2"))}


def test_the_plugin_fails_where_no_rules_come_in_time(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cni_plugin, "ADD_SECONDS", 0)
    _answer(listener, b"late\n")
    assert _run_plugin(monkeypatch, "ADD", _config(tmp_path)) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["code"] == 11
    assert "no network policies are in force" in answer["msg"]


def test_the_plugin_forgets_an_address_even_where_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cni_plugin, "DELETE_SECONDS", 0)
    (tmp_path / "pods").mkdir()
    _record(tmp_path / "pods", "c1", "u1", "10.244.0.2")
    assert _run_plugin(monkeypatch, "DEL", _config(tmp_path)) == 0
    assert _run_plugin(monkeypatch, "DEL", _config(tmp_path)) == 0
    assert read_records(tmp_path / "pods") == {}


def test_the_plugin_says_which_versions_it_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run_plugin(monkeypatch, "VERSION", {"cniVersion": "1.0.0"}) == 0
    assert "1.0.0" in json.loads(capsys.readouterr().out)["supportedVersions"]
