"""Makes the inside of the namespaces a node: mounts that the host never sees, and the node's network."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from local.cluster import linux, mount_point
from local.cluster.daemons import SupervisorConfig
from local.cluster.layout import NODE, NODE_ROOT
from local.cluster.network import NODE_INTERFACE

# The kubelet insists on these values and would otherwise set them for the whole machine. It reads them here instead.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def set_up_node(config: SupervisorConfig) -> None:
    """Prepare mounts and network; must run as PID 1 of the new namespaces. Raises OSError or CalledProcessError."""
    _mounts(config)
    _network(config)


def _mounts(config: SupervisorConfig) -> None:
    # Private first: nothing mounted from here on reaches the host. Shared then: among the node's own containers,
    # volumes with mount propagation work as on any machine.
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_SHARED)
    hidden = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("proc", "/proc", "proc", hidden | linux.MS_NOEXEC)
    # Held open, because the state folder may itself lie below /run.
    folder = os.open(config.cluster_dir, os.O_PATH | os.O_DIRECTORY)
    linux.mount("tmpfs", "/run", "tmpfs", hidden, "mode=755")
    NODE_ROOT.mkdir()
    linux.mount(f"/proc/self/fd/{folder}", str(NODE_ROOT), flags=linux.MS_BIND)
    os.close(folder)
    linux.mount(str(NODE.var_log), "/var/log", flags=linux.MS_BIND)
    mount_point.hold()
    linux.mount("tmpfs", str(mount_point.CNI_CACHE), "tmpfs", hidden, "mode=700")
    for name, value in KERNEL_SETTINGS.items():
        stand_in = Path("/run/kernel-settings") / name.replace("/", ".")
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(value + "\n")
        setting = Path("/proc/sys") / name
        if setting.exists():
            linux.mount(str(stand_in), str(setting), flags=linux.MS_BIND)


def _network(config: SupervisorConfig) -> None:
    address = f"{config.node_address}/{config.node_prefix}"
    for command in (
        ("link", "set", "lo", "up"),
        ("address", "add", address, "dev", NODE_INTERFACE),
        ("link", "set", NODE_INTERFACE, "up"),
        # Programs of the node itself reach Services too: the kernel wants a route before the address is rewritten.
        ("route", "add", config.service_subnet, "dev", NODE_INTERFACE, "src", config.node_address),
        # No way out to the internet: say so at once instead of letting a connection time out.
        ("route", "add", "unreachable", "default"),
    ):
        subprocess.run(["ip", *command], check=True, capture_output=True, text=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    # A pod hears of each refusal by a network policy at once, however often it asks; the setting is the node's own.
    Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0\n")
