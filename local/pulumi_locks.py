"""Locks that a killed `pulumi` left in the environment's own file backend.

The engine refuses a stack that is locked and asks for `pulumi cancel`. A lock names the process that took it; where
that process is gone, nobody can be disturbed by removing it. A lock of another machine, or of a process that lives,
stays.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


def clear_dead(state: Path) -> list[Path]:
    """Removes the locks of dead processes below a file backend's folder, and returns them."""
    dead = [path for path in sorted((state / ".pulumi" / "locks").rglob("*.json")) if _is_dead(path)]
    for path in dead:
        path.unlink(missing_ok=True)
    return dead


def _is_dead(path: Path) -> bool:
    try:
        lock: Any = json.loads(path.read_bytes())
        pid, host = int(lock["pid"]), str(lock["hostname"])
    except (OSError, ValueError, KeyError, TypeError):
        # Half-written by a process that was killed while it wrote, or removed meanwhile: the engine decides.
        return False
    return host == socket.gethostname() and not _is_pulumi(pid)


def _is_pulumi(pid: int) -> bool:
    """Whether the process runs and is an engine; the number alone may belong to somebody else by now."""
    try:
        name, rest = Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
    except (OSError, IndexError, ValueError):
        return False
    # A killed process whose parent was killed too stays as a zombie until somebody reaps it.
    return "pulumi" in name and rest.split()[0] not in "ZX"
