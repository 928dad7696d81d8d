"""The cgroup under which the kubelet keeps the pods: one of the instance's own, so that it can be removed exactly."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from local.cluster.linux import Mount, mounts

CGROUP_MOUNT = Path("/sys/fs/cgroup")


def hierarchies(found: list[Mount] | None = None) -> list[Mount]:
    """The mounted cgroup hierarchies: one per controller with version 1, one in all with version 2."""
    candidates = list(mounts()) if found is None else found
    return [m for m in candidates if m.fstype in ("cgroup", "cgroup2") and m.target.is_relative_to(CGROUP_MOUNT)]


def is_version_1(found: list[Mount] | None = None) -> bool:
    return any(m.fstype == "cgroup" and "memory" in m.options for m in hierarchies(found))


def create(name: str) -> None:
    """Make the cgroup `name` in every hierarchy. Raises OSError."""
    for hierarchy in hierarchies():
        group = hierarchy.target / name
        group.mkdir(exist_ok=True)
        # A new cpuset group is empty, and a process cannot join an empty one.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if "cpuset" in hierarchy.options and not (group / file).read_text().strip():
                (group / file).write_text((group.parent / file).read_text())


def set_weight(name: str, weight: float) -> None:
    """What the cgroup `name` gets of a busy processor, beside 1 for each session and cgroup of the rest of the machine.

    Nothing happens where the kernel counts no processor time for it.
    """
    for hierarchy in hierarchies():
        for file, normal in (("cpu.shares", 1024), ("cpu.weight", 100)):
            path = hierarchy.target / name / file
            if path.exists():
                path.write_text(str(round(normal * weight)))


def join(name: str) -> None:
    """Move this process, and with it all that it starts, into the cgroup `name`. Raises OSError."""
    for hierarchy in hierarchies():
        (hierarchy.target / name / "cgroup.procs").write_text("0")


def remove(name: str, deadline_seconds: float = 5.0) -> list[Path]:
    """Remove the cgroup `name` with all below it from every hierarchy; return what could not be removed.

    A group whose last process has just been killed stays busy for a moment, hence the deadline (in seconds).
    """
    deadline = time.monotonic() + deadline_seconds
    while left := [group for group in _groups(name) if not _remove_one(group)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return []


def cpu_seconds(name: str, child: str) -> int | None:
    """Whole seconds of processor time of the cgroup called `child` somewhere below `name`; None where there is none."""
    for hierarchy in hierarchies():
        for folder in (hierarchy.target / name).glob(f"**/{child}"):
            for file, key, unit in (("cpuacct.usage", "", 10**9), ("cpu.stat", "usage_usec", 10**6)):
                used = _number(folder / file, key)
                if used is not None:
                    return used // unit
    return None


def _number(file: Path, key: str) -> int | None:
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return None
    return next((int(words[-1]) for words in lines if words[:-1] == ([key] if key else [])), None)


def exists(name: str) -> bool:
    return any((hierarchy.target / name).exists() for hierarchy in hierarchies())


def _groups(name: str) -> Iterator[Path]:
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy.target / name, topdown=False):
            yield Path(folder)


def _remove_one(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
