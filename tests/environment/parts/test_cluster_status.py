"""The status file, the waiting for readiness, restarts and logs."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.cluster import identity, logs, readiness
from local.cluster import status as status_file
from local.cluster.errors import ClusterError
from local.cluster.identity import ProcessIdentity
from local.cluster.layout import Layout
from local.cluster.status import ClusterStatus, DaemonState, DaemonStatus, Phase
from local.cluster.supervisor import backoff, exit_text
from local.paths import Instance

MOMENT = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("blue", 5, tmp_path / "blue", tmp_path)


def cluster_status(*daemons: DaemonStatus, phase: Phase = Phase.RUNNING) -> ClusterStatus:
    return ClusterStatus(instance="blue", phase=phase, started_at=MOMENT, daemons=daemons)


def daemon_status(name: str, state: DaemonState, restarts: int = 0, last_exit: str | None = None) -> DaemonStatus:
    return DaemonStatus(name=name, state=state, restarts=restarts, since=MOMENT, last_exit=last_exit)


def own_identity() -> ProcessIdentity:
    found = identity.facts(os.getpid())
    assert found is not None
    return found.identity


def test_a_status_reads_back_as_it_was_written(tmp_path: Path) -> None:
    current = cluster_status(daemon_status("etcd", DaemonState.BACKING_OFF, 2, "SIGKILL"))
    status_file.write(tmp_path / "status.json", current)
    assert status_file.read(tmp_path / "status.json") == current
    assert not current.ready
    assert "backing off" in status_file.describe(current)
    assert "last exit: SIGKILL" in status_file.describe(current)


def test_a_daemon_that_keeps_dying_is_named_with_the_last_line_of_its_log(instance: Instance) -> None:
    layout = Layout.of(instance)
    layout.create()
    layout.log_file("coredns").write_text("starting\nno such zone\n")
    failing = daemon_status("coredns", DaemonState.BACKING_OFF, readiness.MAX_RESTARTS + 1, "exit code 1")
    status_file.write(layout.status, cluster_status(daemon_status("etcd", DaemonState.READY), failing))
    with pytest.raises(ClusterError, match=r"coredns keeps ending \(exit code 1\): no such zone"):
        readiness.await_status(layout, own_identity(), lambda found: found.ready, time.monotonic() + 5)


def test_a_daemon_that_has_recovered_does_not_count_as_dying_whatever_its_restarts() -> None:
    many = readiness.MAX_RESTARTS + 1
    seen: dict[str, int] = {}
    assert not readiness.keeps_dying(daemon_status("etcd", DaemonState.STARTING), seen)
    assert readiness.keeps_dying(daemon_status("etcd", DaemonState.BACKING_OFF, many), seen)
    assert not readiness.keeps_dying(daemon_status("etcd", DaemonState.READY, many), seen)


def test_deaths_of_an_earlier_day_do_not_count() -> None:
    seen: dict[str, int] = {}
    assert not readiness.keeps_dying(daemon_status("etcd", DaemonState.READY, 50), seen)
    assert not readiness.keeps_dying(daemon_status("etcd", DaemonState.BACKING_OFF, 51), seen)


def test_what_is_not_ready_in_time_is_named(instance: Instance) -> None:
    layout = Layout.of(instance)
    layout.create()
    waiting = daemon_status("kubelet", DaemonState.STARTING)
    status_file.write(layout.status, cluster_status(daemon_status("etcd", DaemonState.READY), waiting))
    with pytest.raises(ClusterError, match="not ready in time: kubelet "):
        readiness.await_status(layout, own_identity(), lambda found: found.ready, time.monotonic())


def test_the_backoff_doubles_up_to_its_limit() -> None:
    assert [backoff(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff(10_000) == 30


def test_the_end_of_a_process_is_told_in_words() -> None:
    assert exit_text(signal.SIGKILL) == "SIGKILL"
    assert exit_text(3 << 8) == "exit code 3"


def test_a_log_is_cut_at_its_limit_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "etcd.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        assert not logs.rotate(path, max_bytes=100)
        writer.write(b"y")
        assert logs.rotate(path, max_bytes=100)
        writer.write(b"after\n")
    assert path.read_text() == "after\n"
    assert (tmp_path / "etcd.log.1").stat().st_size == 101
    assert logs.last_lines(path, 5) == ["after"]
    assert logs.last_lines(tmp_path / "none", 5) == []
