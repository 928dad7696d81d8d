"""Waits for the cluster's parts, and says which one does not come."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from local.cluster import logs
from local.cluster import status as status_file
from local.cluster.daemons import KUBELET
from local.cluster.errors import ClusterError
from local.cluster.identity import PROC, ProcessIdentity, is_alive
from local.cluster.layout import Layout
from local.cluster.status import ClusterStatus, DaemonState, DaemonStatus
from local.patience import Patience
from local.stop import Stop
from scripts.clients.kubernetes import Cluster
from scripts.exits import OpsError

POLL_SECONDS = 0.05
# So often may a daemon die during the start; a port that is just being released can cost one.
MAX_RESTARTS = 4
# A daemon that gets a processor now and then writes or computes something in this time.
STILL_SECONDS = 120.0
# One that only repeats why it is not ready.
IN_ALL_SECONDS = 900.0
_LOG_LINES = 6


def patience() -> Patience:
    """For daemons."""
    return Patience(STILL_SECONDS, IN_ALL_SECONDS)


def await_status(
    layout: Layout,
    supervisor: ProcessIdentity,
    reached: Callable[[ClusterStatus], bool],
    patience: Patience,
    stop: Stop | None = None,
) -> ClusterStatus:
    """Wait until the status file says what `reached` asks for, as long as the daemons on their way move.

    Raises ClusterError that names the daemon which keeps dying or no longer moves, with the last lines of its log.
    """
    before: dict[str, int] = {}
    while True:
        current = status_file.read(layout.status)
        if current is not None and reached(current):
            return current
        check_stop(stop)
        if not is_alive(supervisor):
            raise ClusterError(f"the supervisor has ended: {_last_line(layout, 'supervisor')}", passing=True).with_log(
                _log(layout, "supervisor")
            )
        failing = next((d for d in current.daemons if keeps_dying(d, before)), None) if current else None
        if failing is not None:
            raise ClusterError(
                f"{failing.name} keeps ending ({failing.last_exit}): {_last_line(layout, failing.name)} "
                f"(its log: {layout.log_file(failing.name)})"
            ).with_log(_log(layout, failing.name))
        given_up = patience.look(movement(layout, supervisor, current))
        if given_up is not None:
            raise ClusterError(
                f"{given_up.name} is not ready and {given_up.reason}: {_last_line(layout, given_up.name)} "
                f"(its log: {layout.log_file(given_up.name)})",
                passing=True,
            ).with_log(_log(layout, given_up.name))
        time.sleep(POLL_SECONDS)


def check_stop(stop: Stop | None) -> None:
    """Raise ClusterError where the start is to end."""
    if stop is not None and stop.asked:
        raise ClusterError("the start was stopped", passing=True)


def movement(layout: Layout, supervisor: ProcessIdentity, current: ClusterStatus | None) -> dict[str, Hashable]:
    """What changes in each daemon on its way while it moves. One that waits for others is left to its own start."""
    daemons = current.daemons if current else ()
    moving = [d for d in daemons if not d.settled and d.state is not DaemonState.WAITING]
    if not moving:
        return {"supervisor": (current, _log_size(layout, "supervisor"), cpu_seconds(PROC / str(supervisor.pid)))}
    # The supervisor's own view of /proc, because a daemon's number is that of its namespace.
    inside = PROC / str(supervisor.pid) / "root" / "proc"
    return {d.name: (d, _log_size(layout, d.name), cpu_seconds(inside / str(d.pid))) for d in moving}


def cpu_seconds(process: Path) -> int:
    """Whole seconds of processor time: what an idle program takes to look around is no movement."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) // os.sysconf("SC_CLK_TCK")


def keeps_dying(daemon: DaemonStatus, before: dict[str, int]) -> bool:
    """Whether it has died too often since it was first looked at (`before`: restarts at that time, by name)."""
    first = before.setdefault(daemon.name, daemon.restarts if daemon.settled else 0)
    return not daemon.settled and daemon.restarts - first > MAX_RESTARTS


def await_node(
    api: Cluster,
    layout: Layout,
    supervisor: ProcessIdentity,
    node: str,
    since: datetime,
    patience: Patience,
    stop: Stop | None = None,
) -> None:
    """Wait until the node is Ready by a heartbeat of this start, not by what an earlier one left in etcd."""
    inside = PROC / str(supervisor.pid) / "root" / "proc"
    while not _node_ready(api, node, since):
        check_stop(stop)
        if not is_alive(supervisor):
            raise ClusterError(f"the supervisor has ended: {_last_line(layout, 'supervisor')}", passing=True).with_log(
                _log(layout, "supervisor")
            )
        current = status_file.read(layout.status)
        kubelet = current.daemon(KUBELET) if current else None
        used = cpu_seconds(inside / str(kubelet.pid)) if kubelet else 0
        given_up = patience.look({KUBELET: (kubelet, _log_size(layout, KUBELET), used)})
        if given_up is not None:
            raise ClusterError(
                f"the node {node} is not Ready, and its {KUBELET} {given_up.reason}: {_last_line(layout, KUBELET)} "
                f"(its log: {layout.log_file(KUBELET)})",
                passing=True,
            ).with_log(_log(layout, KUBELET))
        time.sleep(POLL_SECONDS)


def _node_ready(api: Cluster, node: str, since: datetime) -> bool:
    try:
        found = api.get(f"/api/v1/nodes/{node}")
    except OpsError:
        return False
    conditions = cast("list[dict[str, Any]]", found.get("status", {}).get("conditions") or [])
    ready = next((c for c in conditions if c["type"] == "Ready"), None)
    if ready is None or ready["status"] != "True":
        return False
    return datetime.fromisoformat(ready["lastHeartbeatTime"]) >= since.replace(microsecond=0)


def _last_line(layout: Layout, daemon: str) -> str:
    return (logs.last_lines(layout.log_file(daemon), 1) or ["its log is empty"])[0][:300]


def _log(layout: Layout, daemon: str) -> list[str]:
    return logs.last_lines(layout.log_file(daemon), _LOG_LINES)


def _log_size(layout: Layout, daemon: str) -> int:
    try:
        return layout.log_file(daemon).stat().st_size
    except OSError:
        return 0
