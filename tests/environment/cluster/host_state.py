"""A picture of what one instance could leave behind on the host, to compare before with after.

Other environments of the machine may come and go meanwhile: what belongs to them is in no picture.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from local.cluster import cgroups, mount_point, network
from local.cluster.layout import cgroup_root
from local.cluster.linux import mounts
from local.cluster.node_setup import KERNEL_SETTINGS as OVERLAID
from local.paths import Instance

KERNEL_SETTINGS = (
    "net/ipv4/ip_forward", "net/ipv4/icmp_ratelimit", "net/ipv4/conf/all/route_localnet", "vm/overcommit_memory",
    "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)  # fmt: skip
FOLDERS = (
    "/run/netns", "/run/containerd", "/run/node", "/var/log/containers", "/var/lib/kubelet", "/opt/cni",
    "/opt/containerd",
)  # fmt: skip
# What a node mounts over, in a namespace of its own; below its state it mounts as well.
OVERMOUNTED = {Path("/run"), Path("/var/log"), mount_point.CNI_CACHE, *(Path("/proc/sys") / name for name in OVERLAID)}


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
        links=frozenset(network.interfaces_of(instance.name)),
        routes=frozenset(_naming(instance, _run("ip", "route"))),
        firewall=frozenset(_naming(instance, _run("iptables-save"))),
        mounts=frozenset(_mounts(instance)),
        cgroups=frozenset(_cgroups(instance)),
        files=frozenset([*_files(), *_cni_cache()]),
        settings=frozenset(f"{name}={(Path('/proc/sys') / name).read_text().strip()}" for name in KERNEL_SETTINGS),
    )


def await_same(before: HostState, instance: Instance, seconds: float) -> list[str]:
    """Differences that are left after at most `seconds`: other programs of the machine come and go meanwhile."""
    deadline = time.monotonic() + seconds
    while (left := before.differences(look(instance))) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _naming(instance: Instance, lines: str) -> list[str]:
    """The lines with the instance's interface, or an address of its subnets."""
    subnets = (instance.node_subnet, instance.pod_subnet, instance.service_subnet)
    signs = [network.interface_name(instance), *(f"{subnet.network_address}"[:-1] for subnet in subnets)]
    own = re.compile("|".join(rf"\b{re.escape(sign)}" for sign in signs))
    return [line.strip() for line in lines.splitlines() if own.search(line)]


def _files() -> list[str]:
    present = [Path(folder) for folder in FOLDERS if Path(folder).exists()]
    return [str(path) for folder in present for path in (folder, *folder.iterdir())]


def _cni_cache() -> list[str]:
    """The folder that instances share, where no running one holds it: the last one to end removes it."""
    try:
        descriptor = os.open(mount_point.CNI_CACHE, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return []
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return []
    finally:
        os.close(descriptor)
    return [str(mount_point.CNI_CACHE)]


def _mounts(instance: Instance) -> list[str]:
    targets = [mount.target for mount in mounts()]
    return [str(path) for path in targets if path in OVERMOUNTED or path.is_relative_to(instance.state_dir)]


def _cgroups(instance: Instance) -> list[str]:
    roots = [hierarchy.target / cgroup_root(instance) for hierarchy in cgroups.hierarchies()]
    return [str(root) for root in roots if root.exists()]


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
