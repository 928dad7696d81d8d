"""Waiting for pods: as long as they move, with the reason and the last lines of the log in the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local import pods, waiting
from local.errors import LocalError
from local.kubectl import Kubectl
from local.patience import Patience
from local.pods import Watcher

# Says what a container has written last.
_KUBECTL = """#!/bin/sh
echo "$*" >>"$0.calls"
printf 'connecting\\nno route to the database\\n'
"""


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    program = tmp_path / "kubectl"
    program.write_text(_KUBECTL)
    program.chmod(0o755)
    return Kubectl(program, tmp_path / "kubeconfig", "blue")


def pod(name: str, *, restarts: int = 0, waits: str | None = None, ready: bool = False) -> dict[str, Any]:
    state = {"waiting": {"reason": waits, "message": "back-off"}} if waits else {"running": dict[str, str]()}
    container = {"name": "main", "ready": ready, "started": True, "restartCount": restarts, "state": state}
    return {
        "metadata": {"name": name, "namespace": "crypto", "uid": f"uid-{name}"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container],
        },
    }


class Cluster:
    """Time in which the pods are as `at` says; each look is ten seconds after the last."""

    def __init__(self, kubectl: Kubectl, at: Callable[[float], list[dict[str, Any]]]) -> None:
        self.now = 0.0
        self.cpu = 0
        self._at = at
        self._watcher = Watcher(kubectl, lambda _: self.cpu)

    def _look(self) -> list[waiting.Missing]:
        return [self._watcher.missing(found) for found in self._at(self.now) if not pods.is_ready(found)]

    def _pause(self, _: float) -> None:
        self.now += 10

    def wait(self) -> list[str]:
        said: list[str] = []
        patience = Patience(waiting.STILL_SECONDS, waiting.IN_ALL_SECONDS, lambda: self.now)
        waiting.await_all(self._look, said.append, "--namespace=crypto", patience, self._pause)
        return said

    def gives_up(self) -> LocalError:
        with pytest.raises(LocalError) as caught:
            self.wait()
        assert "\n" not in str(caught.value)
        return caught.value


def test_a_pod_that_becomes_ready_ends_the_wait(kubectl: Kubectl) -> None:
    cluster = Cluster(kubectl, lambda now: [pod("web", ready=now >= 50)])
    assert cluster.wait() == ["waiting for 1 more, the first: pod web is not ready: Running"]
    assert cluster.now == 50


def test_a_pod_that_no_longer_moves_is_given_up_with_its_last_words(kubectl: Kubectl) -> None:
    cluster = Cluster(kubectl, lambda _: [pod("web")])
    error = cluster.gives_up()
    assert cluster.now == waiting.STILL_SECONDS
    assert str(error).startswith("pod web is not ready: Running; this has not moved for 300 s; look with: kubectl")
    assert error.shown().splitlines()[1:] == ["  | connecting", "  | no route to the database"]
    assert error.passing


def test_pods_are_waited_for_as_long_as_one_of_them_moves(kubectl: Kubectl) -> None:
    """A pod may wait for another without a sign of its own."""
    cluster = Cluster(
        kubectl, lambda now: [pod("db", restarts=int(now // 250), ready=now >= 900), pod("web", ready=now >= 1100)]
    )
    cluster.wait()
    assert cluster.now == 1100


def test_a_pod_that_computes_is_waited_for(kubectl: Kubectl) -> None:
    def at(now: float) -> list[dict[str, Any]]:
        cluster.cpu = int(now // 100)
        return [pod("kafka", ready=now >= 1500)]

    cluster = Cluster(kubectl, at)
    cluster.wait()
    assert cluster.now == 1500


def test_a_pod_without_its_image_is_given_up_although_the_others_move(kubectl: Kubectl) -> None:
    names = ("ErrImagePull", "ImagePullBackOff")

    def at(now: float) -> list[dict[str, Any]]:
        return [pod("db", restarts=int(now // 1000) + (now % 20 == 0)), pod("web", waits=names[int(now // 10) % 2])]

    cluster = Cluster(kubectl, at)
    error = cluster.gives_up()
    assert cluster.now == waiting.STILL_SECONDS
    assert str(error).startswith("pod web is not ready: ")
    assert "(back-off)" in str(error)
    assert not error.passing


def test_a_pod_that_keeps_ending_is_given_up_at_its_last_restart_with_the_log_of_the_run_before(
    kubectl: Kubectl,
) -> None:
    cluster = Cluster(kubectl, lambda now: [pod("web", restarts=3 + int(now // 100), waits="CrashLoopBackOff")])
    error = cluster.gives_up()
    assert cluster.now == (pods.MAX_RESTARTS + 1) * 100
    assert str(error).startswith("pod web is not ready: CrashLoopBackOff (back-off)")
    assert "no route to the database" in error.shown()
    calls = kubectl.program.with_name("kubectl.calls").read_text()
    assert "logs web --namespace=crypto --tail=6 --container=main --previous" in calls


def test_a_pod_that_runs_for_ever_and_is_never_ready_ends_the_wait(kubectl: Kubectl) -> None:
    def at(now: float) -> list[dict[str, Any]]:
        cluster.cpu = int(now)
        return [pod("kafka")]

    cluster = Cluster(kubectl, at)
    assert "moves, but is not there after 60 min" in str(cluster.gives_up())


def test_an_api_server_that_does_not_answer_for_a_while_is_asked_again(kubectl: Kubectl) -> None:
    def at(now: float) -> list[dict[str, Any]]:
        if now < 200:
            raise LocalError("kubectl get gave no answer in 60 s")
        return [pod("web", ready=True)]

    assert Cluster(kubectl, at).wait() == ["waiting for 1 more, the first: kubectl get gave no answer in 60 s"]


def test_what_the_kubelet_says_of_a_container_is_told() -> None:
    crashing = pod("web", restarts=2, waits="CrashLoopBackOff")
    crashing["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 3}}
    assert pods.why(crashing) == "CrashLoopBackOff (back-off, exit code 3)"
    assert pods.why(json.loads('{"status": {"phase": "Pending"}}')) == "Pending"
