"""A picture of what a cluster could leave behind on the host, to compare before with after."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from local.cluster import cgroups
from local.cluster.layout import cgroup_root
from local.cluster.linux import mounts
from local.paths import Instance

KERNEL_SETTINGS = (
    "net/ipv4/ip_forward", "net/ipv4/icmp_ratelimit", "net/ipv4/conf/all/route_localnet", "vm/overcommit_memory",
    "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)  # fmt: skip
FOLDERS = (
    "/run/netns", "/run/containerd", "/run/node", "/var/lib/cni", "/var/log/containers", "/var/lib/kubelet", "/opt/cni",
    "/opt/containerd",
)  # fmt: skip
# Where a cluster's daemons mount; other programs of the machine mount elsewhere meanwhile.
MOUNT_FOLDERS = ("/run", "/var/lib", "/var/log", "/proc", "/sys")


@dataclass(frozen=True)
class HostState:
    """Everything as sets of lines: what one holds and another does not is a difference that can be named."""

    links: frozenset[str]
    routes: frozenset[str]
    firewall: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]
    settings: frozenset[str]

    def differences(self, other: HostState) -> list[str]:
        """One line for each entry that only one of the two holds."""
        found: list[str] = []
        for field in self.__dataclass_fields__:
            mine, theirs = getattr(self, field), getattr(other, field)
            found += [f"{field}: {entry}" for entry in sorted(mine ^ theirs)]
        return found


def look(instance: Instance) -> HostState:
    """The host's present state, as far as this instance could change it."""
    return HostState(
        links=frozenset(re.findall(r"^\d+: ([^:@]+)", _run("ip", "link"), re.MULTILINE)),
        routes=frozenset(line.strip() for line in _run("ip", "route").splitlines()),
        firewall=frozenset(_firewall()),
        mounts=frozenset(_mounts(instance)),
        cgroups=frozenset(_cgroups(instance)),
        files=frozenset(f"{folder}/{name}" for folder in FOLDERS if Path(folder).exists() for name in _names(folder)),
        settings=frozenset(f"{name}={(Path('/proc/sys') / name).read_text().strip()}" for name in KERNEL_SETTINGS),
    )


def await_same(before: HostState, instance: Instance, seconds: float) -> list[str]:
    """Differences that are left after at most `seconds`: other programs of the machine come and go meanwhile."""
    deadline = time.monotonic() + seconds
    while (left := before.differences(look(instance))) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _names(folder: str) -> list[str]:
    return [".", *(path.name for path in Path(folder).iterdir())]


def _firewall() -> list[str]:
    return [line for line in _run("iptables-save").splitlines() if line.startswith((":", "-A"))]


def _mounts(instance: Instance) -> list[str]:
    folders = [*(Path(folder) for folder in MOUNT_FOLDERS), instance.state_dir]
    targets = [mount.target for mount in mounts()]
    return [str(target) for target in targets if any(target.is_relative_to(folder) for folder in folders)]


def _cgroups(instance: Instance) -> list[str]:
    roots = [hierarchy.target / cgroup_root(instance) for hierarchy in cgroups.hierarchies()]
    return [str(root) for root in roots if root.exists()]


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
