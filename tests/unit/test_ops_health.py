"""The pure parts of the health check: verdicts on pods, volumes, lag, and the runner."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from runbook import thresholds
from scripts.clients.kafka import PartitionLag
from scripts.exits import TemporaryError
from scripts.health import check, cluster, runner, volumes
from scripts.health.model import Check, Finding, Result, Status, ratio, worst
from scripts.output import Screen
from tests.terminal import Terminal


def _pod(
    name: str, *, phase: str = "Running", ready: bool = True, owner: str = "ReplicaSet", **status: Any
) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "reason": "ContainersNotReady"}]
    return {
        "metadata": {"name": name, "ownerReferences": [{"kind": owner, "name": "x"}]},
        "status": {"phase": phase, "conditions": conditions, **status},
    }


def _waiting(reason: str, restarts: int = 0) -> list[dict[str, Any]]:
    return [{"name": "app", "restartCount": restarts, "state": {"waiting": {"reason": reason}}}]


def test_a_crash_looping_pod_in_phase_running_fails() -> None:
    pods = [_pod("good"), _pod("bad", ready=False, containerStatuses=_waiting("CrashLoopBackOff", 7))]

    finding = cluster.judge("crypto", pods)

    assert finding.status is Status.FAIL
    assert finding.value == "1 of 2 ready"
    assert finding.detail == "bad: app CrashLoopBackOff after 7 restarts"


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (_pod("p", ready=False), "ContainersNotReady"),
        (_pod("p", phase="Pending", ready=False, containerStatuses=_waiting("ImagePullBackOff")), "ImagePullBackOff"),
        (
            _pod("p", phase="Pending", ready=False, initContainerStatuses=_waiting("CrashLoopBackOff")),
            "CrashLoopBackOff",
        ),
        (_pod("p", phase="Failed", ready=False, reason="Evicted"), "Evicted"),
        (
            _pod(
                "p", phase="Pending", ready=False, owner="Job", containerStatuses=_waiting("CreateContainerConfigError")
            ),
            "ConfigError",
        ),
        ({"metadata": {"name": "p"}, "status": {"phase": "Unknown"}}, "not ready (Unknown)"),
        (
            {
                "metadata": {"name": "p"},
                "status": {
                    "phase": "Pending",
                    "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}],
                },
            },
            "0/1 nodes are available",
        ),
    ],
)
def test_what_keeps_a_pod_from_serving_is_named(pod: dict[str, Any], words: str) -> None:
    finding = cluster.judge("crypto", [_pod("good"), pod])

    assert finding.status is Status.FAIL
    assert words in finding.detail


@pytest.mark.parametrize(
    "pod",
    [
        _pod("p"),
        _pod("p", phase="Succeeded", ready=False, owner="Job"),
        _pod("p", phase="Failed", ready=False, owner="Job"),
        _pod("p", phase="Running", ready=False, owner="Job"),
    ],
)
def test_pods_that_serve_or_belong_to_jobs_are_fine(pod: dict[str, Any]) -> None:
    assert cluster.judge("crypto", [_pod("good"), pod]).status is Status.OK


def test_a_namespace_without_pods_is_not_healthy() -> None:
    assert cluster.judge("crypto", []).status is Status.FAIL
    assert cluster.judge("crypto", [_pod("p", phase="Succeeded", owner="Job")]).status is Status.FAIL


def _summary(namespace: str, used: int, free: int) -> dict[str, Any]:
    claim = {"name": "data-postgres-0", "namespace": namespace}
    volume = {
        "name": "data",
        "capacityBytes": used + free + 50,
        "usedBytes": used,
        "availableBytes": free,
        "pvcRef": claim,
    }
    return {
        "pods": [
            {
                "podRef": {"name": "postgres-0"},
                "volume": [volume, {"name": "token", "capacityBytes": 5, "usedBytes": 5}],
            }
        ]
    }


def test_a_volume_fails_at_the_runbooks_limit_and_is_fine_just_below() -> None:
    limit = round(thresholds.DISK_USAGE_RATIO.value * 1000)

    below = volumes.judge("crypto", [_summary("crypto", limit - 1, 1000 - limit + 1)])
    at = volumes.judge("crypto", [_summary("crypto", limit, 1000 - limit)])

    assert [(finding.name, finding.status) for finding in below] == [("volume data-postgres-0", Status.OK)]
    assert [(finding.name, finding.status) for finding in at] == [("volume data-postgres-0", Status.FAIL)]


def test_volumes_of_others_or_without_figures_are_unknown_and_not_fine() -> None:
    assert [finding.status for finding in volumes.judge("crypto", [_summary("other", 1, 1)])] == [Status.UNKNOWN]
    assert [finding.status for finding in volumes.judge("crypto", [])] == [Status.UNKNOWN]


def test_a_partition_without_a_commit_or_with_one_ahead_counts_from_its_first_message() -> None:
    assert PartitionLag("t", 0, start=10, end=100, committed=90).lag == 10
    assert PartitionLag("t", 1, start=20, end=50, committed=None).lag == 30
    assert PartitionLag("t", 2, start=2, end=5, committed=9).lag == 3
    assert PartitionLag("t", 3, start=2, end=5, committed=5).lag == 0


def test_a_share_fails_at_its_limit() -> None:
    assert ratio(79, 100, 0.8) == (Status.OK, "79%", "< 80%")
    assert ratio(80, 100, 0.8)[0] is Status.FAIL


def _found(*statuses: Status) -> list[Result]:
    return [Result(Finding("x", status), 0) for status in statuses]


def test_the_verdict_is_the_worst_finding() -> None:
    assert worst(_found(Status.OK, Status.FAIL, Status.UNKNOWN)) is Status.FAIL
    assert worst(_found(Status.OK, Status.UNKNOWN, Status.WARN)) is Status.UNKNOWN
    assert worst(_found(Status.OK, Status.WARN)) is Status.WARN
    assert worst(_found(Status.OK)) is Status.OK
    assert worst([]) is Status.UNKNOWN


def test_checks_run_side_by_side_in_order_and_one_that_hangs_holds_up_none() -> None:
    barrier, never = threading.Barrier(2, timeout=5), threading.Event()

    def meet(_: float) -> Sequence[Finding]:
        barrier.wait()
        return [Finding("met", Status.OK)]

    def hang(_: float) -> Sequence[Finding]:
        never.wait()
        return []

    def refuse(_: float) -> Sequence[Finding]:
        raise TemporaryError("nobody answers, password=hunter2")

    start = time.monotonic()
    results = runner.run([Check("a", meet), Check("hangs", hang), Check("refuses", refuse), Check("b", meet)], 0.5)
    took = time.monotonic() - start

    assert [(result.finding.name, result.finding.status) for result in results] == [
        ("met", Status.OK),
        ("hangs", Status.FAIL),
        ("refuses", Status.FAIL),
        ("met", Status.OK),
    ]
    assert results[1].finding.detail == "no answer within 0.5 s"
    assert results[2].finding.detail == "nobody answers, password=***"
    assert took < 5


def test_a_check_that_finds_nothing_is_unknown() -> None:
    assert [result.finding.status for result in runner.run([Check("empty", lambda _: [])], 5)] == [Status.UNKNOWN]


def test_a_result_as_data_leaves_out_what_is_empty() -> None:
    assert check.plain(Result(Finding("x", Status.OK), 0.1234)) == {"name": "x", "status": "ok", "took": 0.123}


def test_a_terminal_of_eighty_columns_shows_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [
        Result(Finding("service market-data-service", Status.OK, "200", "200"), 1.04),
        Result(Finding("backup", Status.WARN, "no backup yet", "<= 26 h 0 min"), 0.96),
        Result(Finding("redis", Status.FAIL, "no answer", detail="connection to 10.96.0.190:6379 refused " * 3), 10.3),
    ]
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    check.print_results(Screen(stream), results, Status.FAIL, 10.3)
    text = stream.getvalue()
    words = text.split()
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert {"STATUS", "TOOK", "fail", "warn", "1.0", "10.3"} <= set(words)
    assert text.count("refused") == 3
