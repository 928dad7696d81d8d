"""The memory that pods were seen to use, by their cgroups on this machine: a pod that has ended says it no more."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from pathlib import Path

from local.cluster import cgroups
from local.cluster.layout import cgroup_root, pods_cgroup
from local.paths import Instance

_SECONDS = 0.05
# Memory of processes without the page cache, which the kernel takes back: of cgroups 1 with children, of cgroups 2.
_KEYS = ("total_rss", "anon")


class Watch(threading.Thread):
    """Looks at every pod of an instance until it is asked to end; ``peaks`` are bytes by the pod's uid."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[str, int] = defaultdict(int)
        name = pods_cgroup(cgroup_root(instance))
        self._folders = [hierarchy.target / name for hierarchy in cgroups.hierarchies()]
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(_SECONDS):
            for folder in self._folders:
                # Folders come and go meanwhile, which os.walk takes as it finds it.
                for path, _, files in os.walk(folder):
                    name = Path(path).name
                    if name.startswith("pod") and "memory.stat" in files:
                        uid = name.removeprefix("pod")
                        self.peaks[uid] = max(self.peaks[uid], _used(Path(path, "memory.stat")))

    def end(self) -> None:
        self._end.set()
        self.join()


def _used(file: Path) -> int:
    try:
        values = dict(line.split() for line in file.read_text().splitlines())
    except (OSError, ValueError):
        # It has ended since the folder was listed.
        return 0
    return next(int(values[key]) for key in _KEYS if key in values)
