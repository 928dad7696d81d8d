"""Configuration files of containerd, the kubelet, CNI and CoreDNS, rendered from the instance."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from local.cluster import cni_plugin
from local.cluster.layout import CONTAINERD_SOCKET, NODE, POD_ADDRESSES, POLICY_SOCKET, cgroup_root
from local.cluster.linux import Mount
from local.cluster.packages import CNI_BIN_DIR
from local.paths import Instance

# The program's name is the plugin's type.
CNI_PLUGIN = "cni-bin/network-policies"


def files(instance: Instance, pause_image: str, snapshotter_name: str = "overlayfs") -> dict[str, str]:
    """File name below the config folder -> content. `pause_image` is the full reference of the sandbox image."""
    return {
        "containerd.toml": containerd_toml(pause_image, snapshotter_name),
        "kubelet.json": kubelet_json(instance),
        "cni/10-pods.conflist": cni_conflist(instance),
        CNI_PLUGIN: cni_program(),
        "Corefile": corefile(),
    }


def snapshotter(folder: Path, mounts: Sequence[Mount]) -> str:
    """containerd's snapshotter for the file system that `folder` lies on: overlayfs cannot be stacked on itself."""
    holding = [mount for mount in mounts if folder.is_relative_to(mount.target)]
    nearest = max(holding, key=lambda mount: len(mount.target.parts), default=None)
    return "native" if nearest is not None and nearest.fstype == "overlay" else "overlayfs"


def containerd_toml(pause_image: str, snapshotter_name: str) -> str:
    """containerd's configuration; its state and sockets lie on the namespace's own /run."""
    return f"""version = 3
root = "{NODE.containerd}"
state = "/run/containerd"
# What only other runtimes need; each would make folders of its own on the machine.
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.erofs", "io.containerd.differ.v1.erofs",
  "io.containerd.snapshotter.v1.blockfile"]

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{NODE.containerd}/opt"

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{snapshotter_name}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{pause_image}"

[plugins.'io.containerd.cri.v1.runtime']
  # A negative oom_score_adj needs CAP_SYS_RESOURCE; without it every pod would die as it is created.
  restrict_oom_score_adj = true
  enable_cdi = false
  # A profile would stay loaded in the machine's kernel.
  disable_apparmor = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{CNI_BIN_DIR}", "{(NODE.config / CNI_PLUGIN).parent}"]
  conf_dir = "{NODE.config}/cni"
"""


def kubelet_json(instance: Instance) -> str:
    """The kubelet's configuration."""
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(NODE.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(NODE.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(NODE.pki / "kubelet-server.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup_root(instance)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "clusterDNS": [str(instance.node_address)],
        "clusterDomain": "cluster.local",
        # The machine's search domains and name servers are no business of the pods.
        "resolvConf": "",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "podLogsDir": str(NODE.pod_logs),
        "volumePluginDir": str(NODE.kubelet / "volume-plugins"),
        # Images come from no registry: one that is collected could not be fetched again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "512Mi"},
        "makeIPTablesUtilChains": False,
        "rotateCertificates": False,
    }
    return json.dumps(document, indent=2) + "\n"


def cni_conflist(instance: Instance) -> str:
    """Pod network: a routed point-to-point link for each pod.

    A bridge would need the kernel's br_netfilter for pods that reach one another through a Service; a routed link
    does not.
    """
    document = {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    # On the namespace's own /run: addresses of pods that were killed are free again after a start.
                    "dataDir": "/run/cni",
                    "ranges": [[{"subnet": str(instance.pod_subnet)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
            {"type": Path(CNI_PLUGIN).name, "folder": str(POD_ADDRESSES), "socket": str(POLICY_SOCKET)},
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def cni_program() -> str:
    """The program that containerd runs as the last plugin; without Python's site packages it starts at once."""
    command = [sys.executable, "-I", "-S", str(Path(cni_plugin.__file__).resolve())]
    return f"#!/bin/sh\nexec {shlex.join(command)}\n"


def corefile() -> str:
    """CoreDNS: the cluster's names and nothing else; pods need no name from outside."""
    return f""".:53 {{
    errors
    health 127.0.0.1:8080
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {NODE.pki / "coredns.kubeconfig"}
        ttl 5
    }}
    cache 5
}}
"""
