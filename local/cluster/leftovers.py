"""Removes what a cluster leaves on the host when it ends, in good order or by SIGKILL."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from local.cluster import cgroups, identity, linux, mount_point, network
from local.cluster.errors import ClusterError
from local.cluster.layout import Layout, cgroup_root
from local.paths import Instance

INTERFACE_SECONDS = 5.0
DYING_SECONDS = 15.0


def clear(instance: Instance) -> None:
    """Remove interface, routes, mounts, cgroups and state files of an instance whose supervisor has ended.

    Harmless where there is nothing. Raises ClusterError for what resists.
    """
    layout = Layout.of(instance)
    _await_end(layout)
    _clear_interfaces(instance)
    _clear_mounts(layout.root)
    left = cgroups.remove(cgroup_root(instance))
    if left:
        raise ClusterError(f"the cgroup {left[0]} is still in use: end the processes in its cgroup.procs and try again")
    layout.process.unlink(missing_ok=True)
    layout.status.unlink(missing_ok=True)
    mount_point.remove()


def _await_end(layout: Layout) -> None:
    """Wait for daemons that a SIGKILL of their supervisor is still ending: they hold etcd's lock and the ports.

    Their namespace's number may belong to somebody else by now, so this never fails: what really resists shows below.
    """
    recorded = identity.read(layout.process)
    deadline = time.monotonic() + DYING_SECONDS
    while recorded is not None and identity.is_ending(recorded) and time.monotonic() < deadline:
        time.sleep(0.05)


def _clear_interfaces(instance: Instance) -> None:
    deadline = time.monotonic() + INTERFACE_SECONDS
    while network.interfaces_of(instance.name):
        network.disconnect(instance.name)
        if time.monotonic() > deadline:
            raise ClusterError(
                f"the interface {network.interfaces_of(instance.name)[0]} cannot be removed: ip link delete it"
            )


def _clear_mounts(root: Path) -> None:
    below = [mount.target for mount in linux.mounts() if mount.target.is_relative_to(root)]
    for target in reversed(below):
        linux.detach(str(target))


def remove_data(instance: Instance) -> None:
    """Remove all files of the cluster, volumes and database included; must not run while the cluster does."""
    layout = Layout.of(instance)
    _clear_mounts(layout.root)
    if layout.root.exists():
        shutil.rmtree(layout.root)
    instance.kubeconfig.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        # Other parts of the environment may keep their state there.
        instance.state_dir.rmdir()
