"""Waits for the cluster's parts, and says which one does not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import httpx

from local.cluster import logs
from local.cluster import status as status_file
from local.cluster.api import ApiClient
from local.cluster.errors import ClusterError
from local.cluster.identity import ProcessIdentity, is_alive
from local.cluster.layout import Layout
from local.cluster.status import ClusterStatus, DaemonStatus

POLL_SECONDS = 0.05
# So often may a daemon die during the start; a port that is just being released can cost one.
MAX_RESTARTS = 4


def await_status(
    layout: Layout, supervisor: ProcessIdentity, reached: Callable[[ClusterStatus], bool], deadline: float
) -> ClusterStatus:
    """Wait until the status file says what `reached` asks for (`deadline`: time.monotonic() seconds).

    Raises ClusterError that names the daemon which keeps dying or is not ready in time, with the last line of its log.
    """
    before: dict[str, int] = {}
    while True:
        current = status_file.read(layout.status)
        if current is not None and reached(current):
            return current
        if not is_alive(supervisor):
            raise ClusterError(f"the supervisor has ended: {_last_line(layout, 'supervisor')}")
        failing = next((d for d in current.daemons if keeps_dying(d, before)), None) if current else None
        if failing is not None:
            raise ClusterError(
                f"{failing.name} keeps ending ({failing.last_exit}): {_last_line(layout, failing.name)} "
                f"(its log: {layout.log_file(failing.name)})"
            )
        if time.monotonic() > deadline:
            waiting = [d.name for d in current.daemons if not d.settled] if current else ["supervisor"]
            raise ClusterError(f"not ready in time: {', '.join(waiting)} (logs in {layout.logs})")
        time.sleep(POLL_SECONDS)


def keeps_dying(daemon: DaemonStatus, before: dict[str, int]) -> bool:
    """Whether it has died too often since it was first looked at (`before`: restarts at that time, by name)."""
    first = before.setdefault(daemon.name, daemon.restarts if daemon.settled else 0)
    return not daemon.settled and daemon.restarts - first > MAX_RESTARTS


def await_node(api: ApiClient, node: str, since: datetime, deadline: float) -> None:
    """Wait until the node is Ready by a heartbeat of this start, not by what an earlier one left in etcd."""
    while not _node_ready(api, node, since):
        if time.monotonic() > deadline:
            raise ClusterError(f"the node {node} is not Ready in time: see `logs kubelet` and `logs containerd`")
        time.sleep(POLL_SECONDS)


def _node_ready(api: ApiClient, node: str, since: datetime) -> bool:
    try:
        found = api.get(f"/api/v1/nodes/{node}")
    except httpx.HTTPError:
        return False
    conditions = cast("list[dict[str, Any]]", (found or {}).get("status", {}).get("conditions") or [])
    ready = next((c for c in conditions if c["type"] == "Ready"), None)
    if ready is None or ready["status"] != "True":
        return False
    return datetime.fromisoformat(ready["lastHeartbeatTime"]) >= since.replace(microsecond=0)


def _last_line(layout: Layout, daemon: str) -> str:
    return (logs.last_lines(layout.log_file(daemon), 1) or ["its log is empty"])[0][:300]
