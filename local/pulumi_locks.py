"""Locks that a killed `pulumi` left in the environment's own file backend.

The engine refuses a stack that is locked and asks for `pulumi cancel`. A lock names the process that took it; where
that process is gone, nobody can be disturbed by removing it. A lock of another machine, or of a process that lives,
stays.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.5


def clear_dead(state: Path) -> list[Path]:
    """Removes the locks of dead processes below a file backend's folder, and returns them."""
    dead = [path for path in _locks(state) if _is_dead(path)]
    for path in dead:
        path.unlink(missing_ok=True)
    return dead


def await_free(state: Path, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep) -> None:
    """Waits for an engine of this machine that works there: one whose `make up` was killed goes on to its end alone."""
    said = 0
    while holder := next((pid for pid in map(_holder, _locks(state)) if pid and _is_pulumi(pid)), None):
        if holder != said:
            say(f"process {holder} of pulumi still works on the stack: waiting for its end")
            said = holder
        pause(_POLL_SECONDS)
    clear_dead(state)


def _locks(state: Path) -> list[Path]:
    return sorted((state / ".pulumi" / "locks").rglob("*.json"))


def _is_dead(path: Path) -> bool:
    pid = _holder(path)
    return pid is not None and not _is_pulumi(pid)


def _holder(path: Path) -> int | None:
    """The process of this machine that took the lock. Of another machine's, the engine decides."""
    try:
        lock: Any = json.loads(path.read_bytes())
        pid, host = int(lock["pid"]), str(lock["hostname"])
    except (OSError, ValueError, KeyError, TypeError):
        # Half-written by a process that was killed while it wrote, or removed meanwhile: the engine decides.
        return None
    return pid if host == socket.gethostname() else None


def _is_pulumi(pid: int) -> bool:
    """Whether the process runs and is an engine; the number alone may belong to somebody else by now."""
    try:
        name, rest = Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
    except (OSError, IndexError, ValueError):
        return False
    # A killed process whose parent was killed too stays as a zombie until somebody reaps it.
    return "pulumi" in name and rest.split()[0] not in "ZX"
