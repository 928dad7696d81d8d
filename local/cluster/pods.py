"""Ends the containers of the node in good order, from inside its PID namespace."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

PROC = Path("/proc")


def container_processes(pods_cgroup: str) -> list[int]:
    """The first process of every container: it is in a pod's cgroup, its parent is not. Sandboxes are left out."""
    pids = [int(folder.name) for folder in PROC.iterdir() if folder.name.isdigit()]
    groups = {pid: _cgroup(pid) for pid in pids}
    marker = f"/{pods_cgroup}/"
    inside = {pid for pid, group in groups.items() if marker in group}
    return [pid for pid in inside if _parent(pid) not in inside and _argv0(pid) != b"/pause"]


def end_containers(pods_cgroup: str, seconds: float) -> int:
    """End every container: SIGTERM, after half of `seconds` SIGINT, at its end SIGKILL; return how many were killed.

    SIGINT is PostgreSQL's fast shutdown: SIGTERM alone waits for clients, which may be among those that hang.
    """
    for number, wait in ((signal.SIGTERM, seconds / 2), (signal.SIGINT, seconds / 2), (signal.SIGKILL, 2.0)):
        left = container_processes(pods_cgroup)
        for pid in left:
            _send(pid, number)
        if number is signal.SIGKILL:
            _await_end(pods_cgroup, wait)
            return len(left)
        if _await_end(pods_cgroup, wait):
            return 0
    return 0


def _await_end(pods_cgroup: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while container_processes(pods_cgroup):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _cgroup(pid: int) -> str:
    return _read(pid, "cgroup").decode(errors="replace")


def _argv0(pid: int) -> bytes:
    return _read(pid, "cmdline").split(b"\0")[0]


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _read(pid: int, file: str) -> bytes:
    try:
        return (PROC / str(pid) / file).read_bytes()
    except OSError:
        return b""
