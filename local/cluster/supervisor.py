"""PID 1 of the cluster: starts the daemons in order, keeps them running, and ends them in reverse order.

Run by local.cluster.spawn as `python -m local.cluster.supervisor CONFIG_FILE`. Whatever ends this process ends all the
others too, because the kernel ends a PID namespace with its first process.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

from local.cluster import cgroups, logs, probes
from local.cluster import status as status_file
from local.cluster.daemons import KUBELET, DaemonSpec, SupervisorConfig
from local.cluster.layout import NODE, daemons_cgroup, pods_cgroup
from local.cluster.node_setup import set_up_node
from local.cluster.pods import end_containers
from local.cluster.status import ClusterStatus, DaemonState, DaemonStatus, Phase

PROBE_INTERVAL_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
# A daemon that ran this long has recovered: its next death is a new incident.
STABLE_SECONDS = 60.0
HOUSEKEEPING_SECONDS = 10.0
MAX_OPEN_FILES = 1048576

STOP, CHILD = "stop", "child"
Event = str | tuple[str, int]


def backoff(consecutive_failures: int) -> float:
    """Seconds to wait before the next start: doubles from FIRST_BACKOFF_SECONDS up to MAX_BACKOFF_SECONDS."""
    return min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(consecutive_failures - 1, 16))


def log(message: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {message}", flush=True)


def exit_text(wait_status: int) -> str:
    """The end of a process in words: "exit code 1" or "SIGKILL"."""
    code = os.waitstatus_to_exitcode(wait_status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class Daemon:
    """One running (or waiting) daemon."""

    def __init__(self, spec: DaemonSpec, log_path: Path, events: SimpleQueue[Event]) -> None:
        self.spec = spec
        self.state = DaemonState.WAITING
        self.pid: int | None = None
        self.restarts = 0
        self.last_exit: str | None = None
        self.since = datetime.now(UTC)
        self.start_at = 0.0
        self.was_ready = False
        self._failures = 0
        self._started = 0.0
        self._log_path = log_path
        self._events = events

    def set_state(self, state: DaemonState) -> None:
        self.state = state
        self.since = datetime.now(UTC)

    def start(self) -> None:
        self._started = time.monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            self.pid = os.posix_spawn(
                self.spec.argv[0],
                self.spec.argv,
                self.spec.env,
                file_actions=(
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, str(self._log_path), flags, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ),
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGPIPE),
            )
        except OSError as error:
            self._failed(f"cannot be started: {error}")
            return
        self.set_state(DaemonState.STARTING)
        if self.spec.once:
            return
        threading.Thread(target=self._await_ready, args=(self.pid,), daemon=True).start()

    def ended(self, wait_status: int) -> None:
        if self.spec.once and wait_status == 0 and self.pid is not None:
            self._events.put((self.spec.name, self.pid))
            return
        self._failed(exit_text(wait_status))

    def _failed(self, reason: str) -> None:
        self.pid = None
        self.last_exit = reason
        self.restarts += 1
        self._failures = 1 if time.monotonic() - self._started > STABLE_SECONDS else self._failures + 1
        delay = backoff(self._failures)
        self.start_at = time.monotonic() + delay
        self.set_state(DaemonState.BACKING_OFF)
        log(f"{self.spec.name}: {reason}; next start in {delay:g} s")

    def _await_ready(self, pid: int) -> None:
        while self.pid == pid:
            if self.spec.probe is None or probes.is_ready(self.spec.probe):
                self._events.put((self.spec.name, pid))
                return
            time.sleep(PROBE_INTERVAL_SECONDS)

    def status(self) -> DaemonStatus:
        return DaemonStatus(
            name=self.spec.name, state=self.state, pid=self.pid, restarts=self.restarts, since=self.since,
            last_exit=self.last_exit,
        )  # fmt: skip


class Supervisor:
    """The main loop; everything happens on this one thread, probes and signals only put events into its queue."""

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._daemons = {spec.name: Daemon(spec, NODE.log_file(spec.name), self._events) for spec in config.daemons}
        self._phase = Phase.STARTING
        self._started_at = datetime.now(UTC)
        self._ready_after: float | None = None
        self._problem: str | None = None

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._on_signal)
        self._write_status()
        next_housekeeping = 0.0
        while True:
            self._reap()
            self._start_due()
            self._write_status()
            if time.monotonic() >= next_housekeeping:
                self._rotate_logs()
                next_housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
            try:
                event = self._events.get(timeout=self._pause())
            except Empty:
                continue
            if event == STOP:
                return self._stop()
            if isinstance(event, tuple):
                self._became_ready(*event)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._events.put(CHILD if number == signal.SIGCHLD else STOP)

    def _pause(self) -> float:
        due = [d.start_at - time.monotonic() for d in self._daemons.values() if d.state is DaemonState.BACKING_OFF]
        return max(0.01, min([HOUSEKEEPING_SECONDS, *due]))

    def _start_due(self) -> None:
        for daemon in self._daemons.values():
            if daemon.state is DaemonState.WAITING:
                if all(self._daemons[name].was_ready for name in daemon.spec.after):
                    daemon.start()
            elif daemon.state is DaemonState.BACKING_OFF and time.monotonic() >= daemon.start_at:
                daemon.start()

    def _became_ready(self, name: str, pid: int) -> None:
        daemon = self._daemons[name]
        if daemon.pid != pid:
            return
        daemon.was_ready = True
        daemon.set_state(DaemonState.DONE if daemon.spec.once else DaemonState.READY)
        if daemon.spec.once:
            daemon.pid = None
        elapsed = (datetime.now(UTC) - self._started_at).total_seconds()
        log(f"{name}: ready, {elapsed:.2f} s after the cluster's start")
        if self._phase is Phase.STARTING and all(d.was_ready for d in self._daemons.values()):
            self._phase = Phase.RUNNING
            self._ready_after = elapsed

    def _reap(self) -> None:
        """Collect every process that has ended, the orphans of the whole namespace among them."""
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for daemon in self._daemons.values():
                if daemon.pid == pid:
                    if self._phase is Phase.STOPPING:
                        daemon.pid = None
                        daemon.set_state(DaemonState.STOPPED)
                    else:
                        daemon.ended(wait_status)

    def _stop(self) -> int:
        """End the pods, then the daemons in reverse order, each within its deadline."""
        log("stopping")
        self._phase = Phase.STOPPING
        self._write_status()
        for daemon in self._daemons.values():
            if daemon.pid is None:
                daemon.set_state(DaemonState.STOPPED)
        if KUBELET in self._daemons:
            # First, so that it starts nothing again.
            self._end([self._daemons[KUBELET]])
        killed = end_containers(pods_cgroup(self._config.cgroup_root), self._config.pod_stop_seconds)
        log(f"containers ended, {killed} of them killed at the deadline")
        while running := [d for d in self._daemons.values() if d.pid is not None]:
            needed = {name for d in running for name in d.spec.after}
            self._end([d for d in running if d.spec.name not in needed])
        self._write_status()
        log("stopped")
        return 0

    def _end(self, daemons: list[Daemon]) -> None:
        began = time.monotonic()
        for daemon in daemons:
            if daemon.pid is not None:
                os.kill(daemon.pid, signal.SIGTERM)
        while running := [d for d in daemons if d.pid is not None]:
            for daemon in running:
                if time.monotonic() - began > daemon.spec.stop_seconds and daemon.pid is not None:
                    log(f"{daemon.spec.name}: killed, it did not end within {daemon.spec.stop_seconds:g} s")
                    os.kill(daemon.pid, signal.SIGKILL)
            time.sleep(0.02)
            self._reap()
        self._write_status()

    def _rotate_logs(self) -> None:
        for daemon in self._daemons.values():
            logs.rotate(NODE.log_file(daemon.spec.name))
        logs.rotate(NODE.log_file("supervisor"))

    def _write_status(self) -> None:
        current = ClusterStatus(
            instance=self._config.instance,
            phase=self._phase,
            started_at=self._started_at,
            ready_after_seconds=self._ready_after,
            problem=self._problem,
            daemons=tuple(daemon.status() for daemon in self._daemons.values()),
        )
        try:
            status_file.write(NODE.status, current)
        except OSError as error:
            # A full disk must not end the cluster.
            log(f"cannot write the status: {error}")


def _raise_file_limit() -> None:
    """Containers inherit this limit, and a shell's usual 1024 files are few for a database or a broker."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def main() -> int:
    config = SupervisorConfig.model_validate_json(Path(sys.argv[1]).read_bytes())
    # The host closes this without a word when it could not make the network.
    if not sys.stdin.readline().startswith("go"):
        log("not started: the host's side of the network was not made")
        return 1
    try:
        cgroups.join(daemons_cgroup(config.cgroup_root))
        set_up_node(config)
        _raise_file_limit()
    except subprocess.CalledProcessError as error:
        log(f"not started: {' '.join(error.cmd)}: {error.stderr}")
        return 1
    except OSError as error:
        log(f"not started: {error}")
        return 1
    return Supervisor(config).run()


if __name__ == "__main__":
    sys.exit(main())
