"""The status file, the waiting for readiness, restarts and logs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
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
from local.patience import Patience
from local.stop import Stop

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
    with pytest.raises(ClusterError, match=r"coredns keeps ending \(exit code 1\): no such zone") as caught:
        readiness.await_status(layout, own_identity(), lambda found: found.ready, readiness.patience())
    assert caught.value.shown().splitlines()[1:] == ["  | starting", "  | no such zone"]
    assert not caught.value.passing


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


class Machine:
    """A start in which each look is ten seconds after the last; `each_look` says what happens between two."""

    def __init__(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.layout = Layout.of(instance)
        self.layout.create()
        self.now = 0.0
        self.each_look: Callable[[], None] = lambda: None
        self._thread, self._sleep = threading.get_ident(), time.sleep
        monkeypatch.setattr(readiness.time, "sleep", self._look_later)

    def _look_later(self, seconds: float) -> None:
        if threading.get_ident() != self._thread:
            # Another test's thread, which has a clock of its own.
            self._sleep(seconds)
            return
        self.now += 10
        self.each_look()

    def report(self, state: DaemonState, restarts: int = 0) -> None:
        kubelet = daemon_status("kubelet", state, restarts)
        waiting = daemon_status("kube-proxy", DaemonState.WAITING)
        ready = daemon_status("etcd", DaemonState.READY)
        status_file.write(self.layout.status, cluster_status(ready, kubelet, waiting))

    def wait(self, stop: Stop | None = None) -> ClusterStatus:
        patience = Patience(readiness.STILL_SECONDS, readiness.IN_ALL_SECONDS, lambda: self.now)
        return readiness.await_status(
            self.layout, own_identity(), lambda found: found.daemons[1].settled, patience, stop
        )


@pytest.fixture
def machine(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(instance, monkeypatch)
    made.report(DaemonState.STARTING)
    return made


def test_a_daemon_that_no_longer_moves_is_given_up_with_the_last_lines_of_its_log(machine: Machine) -> None:
    machine.layout.log_file("kubelet").write_text("looking for containerd\nwaiting\n")
    with pytest.raises(ClusterError, match=r"^kubelet is not ready and has not moved for 120 s: waiting ") as caught:
        machine.wait()
    assert machine.now == readiness.STILL_SECONDS
    assert caught.value.shown().splitlines()[1:] == ["  | looking for containerd", "  | waiting"]
    assert caught.value.passing


@pytest.mark.parametrize("movement", ["log", "processor", "state"])
def test_a_daemon_is_waited_for_as_long_as_it_moves(
    movement: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move() -> None:
        if machine.now >= 600:
            machine.report(DaemonState.READY)
        elif movement == "log":
            with machine.layout.log_file("kubelet").open("a") as log:
                log.write("a step\n")
        elif movement == "state" and machine.now % 100 == 0:
            state = DaemonState.BACKING_OFF if machine.now % 200 else DaemonState.STARTING
            machine.report(state, restarts=int(machine.now // 200))

    def used(_: Path) -> int:
        return int(machine.now // 100) if movement == "processor" else 0

    monkeypatch.setattr(readiness, "cpu_seconds", used)
    machine.each_look = move
    assert machine.wait().daemons[1].settled
    assert machine.now == 600


def test_a_daemon_that_only_writes_and_is_never_ready_is_given_up_in_the_end(machine: Machine) -> None:
    def complain() -> None:
        with machine.layout.log_file("kubelet").open("a") as log:
            log.write("no connection, trying again\n")

    machine.each_look = complain
    with pytest.raises(ClusterError, match="kubelet is not ready and moves, but is not there after 15 min: no conn"):
        machine.wait()


def test_a_start_that_is_stopped_from_outside_ends_at_its_next_look(machine: Machine) -> None:
    stop = Stop()
    machine.each_look = stop.ask
    with pytest.raises(ClusterError, match="the start was stopped"):
        machine.wait(stop)
    assert machine.now == 10


def test_processor_time_counts_in_whole_seconds(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    for used, seconds in ((ticks - 1, 0), (2 * ticks + 1, 2)):
        fields = ["S", *["0"] * 10, str(used), "0"]
        (tmp_path / "stat").write_text(f"7 (a (b) c) {' '.join(fields)}\n")
        assert readiness.cpu_seconds(tmp_path) == seconds
    assert readiness.cpu_seconds(tmp_path / "gone") == 0


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
