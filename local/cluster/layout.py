"""The cluster's folders, as the host sees them and as the processes inside the namespaces see them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from local.paths import Instance

# Inside the mount namespace the cluster's folder is bound here: socket paths stay short whatever the state folder is
# called (a Unix socket's path ends at 108 bytes), and configuration survives a moved state folder.
NODE_ROOT = Path("/run/node")
# Lies on the namespace's own tmpfs, so sockets vanish with the namespace.
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
# Likewise: what is known of the pods' addresses ends with the links that carry them.
POLICY_SOCKET = Path("/run/network-policies/socket")
POD_ADDRESSES = Path("/run/network-policies/pods")


@dataclass(frozen=True)
class Layout:
    """The folders below `root`; the same tree is seen at NODE_ROOT by everything that the supervisor runs."""

    root: Path

    @classmethod
    def of(cls, instance: Instance) -> Layout:
        return cls(instance.state_dir / "cluster")

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def containerd(self) -> Path:
        return self.root / "containerd"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.root / "pod-logs"

    @property
    def var_log(self) -> Path:
        return self.root / "var-log"

    @property
    def kubectl_cache(self) -> Path:
        return self.root / "kubectl-cache"

    @property
    def supervisor_config(self) -> Path:
        return self.config / "supervisor.json"

    @property
    def origin(self) -> Path:
        """Records the addresses that the stored data belongs to."""
        return self.root / "origin.json"

    @property
    def process(self) -> Path:
        """Identity of the running supervisor (the "pid file")."""
        return self.root / "supervisor-process.json"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def log_file(self, daemon: str) -> Path:
        return self.logs / f"{daemon}.log"

    def create(self) -> None:
        """Make the folders, readable by their owner only (they hold keys and volumes)."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (
            self.pki, self.config, self.etcd, self.containerd, self.kubelet,
            self.volumes, self.logs, self.pod_logs, self.var_log,
        ):  # fmt: skip
            folder.mkdir(mode=0o700, exist_ok=True)


NODE = Layout(NODE_ROOT)


def cgroup_root(instance: Instance) -> str:
    """Name of the cgroup, in every hierarchy, under which exactly this instance's pods live."""
    return f"crypto-{instance.name}"


def daemons_cgroup(root: str) -> str:
    """Name of the cgroup of the supervisor and its daemons, beside the kubelet's `kubepods`."""
    return f"{root}/daemons"


def pods_cgroup(root: str) -> str:
    """Name of the cgroup that the kubelet makes for all pods."""
    return f"{root}/kubepods"
