"""Whether this machine can run the cluster at all, and what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.cluster import cgroups
from local.cluster.errors import ClusterError
from local.cluster.packages import SYSTEM_PATH, missing_packages

TOOLS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
    "containerd", "containerd-shim-runc-v2", "ctr", "coredns", "metrics-server",
)  # fmt: skip
_NEEDED_CONTROLLERS = ("cpu", "memory", "pids")

# Run in a process of its own, because what it does to its namespaces cannot be undone.
_TRIAL = """
import os
from local.cluster.linux import *
unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID)
mount("none", "/", flags=MS_REC | MS_PRIVATE)
mount("tmpfs", "/run", "tmpfs")
pid = os.fork()
if pid == 0:
    mount("proc", "/proc", "proc")
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def why_containers_cannot_run() -> str | None:
    """One line that says why this machine can run no containers, or None where it can."""
    if sys.platform != "linux":
        return f"this is {sys.platform}: containers need Linux"
    if os.geteuid() != 0:
        return "not root: containers need namespaces, mounts and cgroups; run the command as root"
    return _no_namespaces() or _no_cgroups() or _no_overlay()


def check_machine(bin_dir: Path) -> None:
    """Raise ClusterError, one line, where the machine cannot run the cluster or a program is missing."""
    reason = why_containers_cannot_run()
    if reason:
        raise ClusterError(f"the cluster cannot run here: {reason}")
    packages = missing_packages()
    if packages:
        raise ClusterError(f"Debian packages are missing: apt-get install --no-remove -y {' '.join(packages)}")
    check_tools(bin_dir)


def check_tools(bin_dir: Path) -> None:
    """Raise ClusterError where the folder of programs lacks one."""
    if not bin_dir.is_absolute():
        raise ClusterError(f"the folder of programs {bin_dir} is a relative path: give an absolute one")
    missing = [name for name in TOOLS if not os.access(bin_dir / name, os.X_OK)]
    if missing:
        raise ClusterError(f"{bin_dir} lacks {', '.join(missing)}: build the toolchain first")


def _no_namespaces() -> str | None:
    project = str(Path(__file__).resolve().parent.parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", _TRIAL], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": project},
    )  # fmt: skip
    if done.returncode == 0:
        return None
    detail = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return f"the kernel allows no new namespaces or mounts ({detail}): use a machine or a privileged container"


def _no_cgroups() -> str | None:
    hierarchies = cgroups.hierarchies()
    if not hierarchies:
        return "no cgroup hierarchy is mounted at /sys/fs/cgroup: mount one"
    if cgroups.is_version_1():
        present = {option for hierarchy in hierarchies for option in hierarchy.options}
    else:
        present = set((hierarchies[0].target / "cgroup.controllers").read_text().split())
    lacking = [name for name in _NEEDED_CONTROLLERS if name not in present]
    if lacking:
        return f"the cgroup controllers {', '.join(lacking)} are not available: enable them"
    read_only = [str(h.target) for h in hierarchies if not os.access(h.target, os.W_OK)]
    return f"{read_only[0]} is read-only: use a machine or a privileged container" if read_only else None


def _no_overlay() -> str | None:
    known = Path("/proc/filesystems").read_text().split()
    if "overlay" in known:
        return None
    # It may be a module that nothing has loaded yet; loading it is what mounting one would do.
    modprobe = shutil.which("modprobe", path=SYSTEM_PATH)
    if (
        modprobe
        and subprocess.run([modprobe, "--dry-run", "overlay"], capture_output=True, check=False).returncode == 0
    ):
        return None
    return "the kernel has no overlay file system: load the module `overlay`"
