"""What a supervised daemon is, and the daemons of a one-node cluster in the order of their dependencies."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

import local
from local.cluster.layout import CONTAINERD_SOCKET, NODE, POD_ADDRESSES, POLICY_SOCKET
from local.cluster.packages import SYSTEM_PATH
from local.paths import Instance


class Probe(BaseModel):
    """How readiness shows: an http(s) URL that answers 200; `tcp:HOST:PORT` or `unix:/PATH` that accepts."""

    model_config = ConfigDict(frozen=True)

    target: str = Field(pattern=r"^(https?://|tcp:|unix:/)")
    ca_file: Path | None = None


class DaemonSpec(BaseModel):
    """A daemon of the supervisor: started when every daemon in `after` was ready once, restarted when it dies.

    With `once` it is a task: its exit code 0 counts as ready, and it is not started again.

    Paths in `argv` and `env` are seen from inside the mount namespace: /run is its own there, all else the host's.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    argv: tuple[str, ...] = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    after: tuple[str, ...] = ()
    probe: Probe | None = None
    once: bool = False
    stop_seconds: float = Field(default=10.0, gt=0)


class SupervisorConfig(BaseModel):
    """Everything the supervisor has to know; written by `up`, read once by the supervisor."""

    model_config = ConfigDict(frozen=True)

    instance: str
    cluster_dir: Path
    node_address: str
    node_prefix: int
    host_address: str
    service_subnet: str
    cgroup_root: str
    daemons: tuple[DaemonSpec, ...]
    pod_stop_seconds: float = 30.0


# Without --validate=false kubectl fetches the API's whole OpenAPI document first; the server validates anyway.
SERVER_SIDE_APPLY = (
    "apply", "--server-side", "--force-conflicts", "--validate=false", "--field-manager=crypto-operations-cluster",
)  # fmt: skip
API_SERVER = "kube-apiserver"
KUBELET = "kubelet"
BASE_OBJECTS = "base-objects"
FORMER_PODS = "former-pods"


def base_environment(bin_dir: Path) -> dict[str, str]:
    """The whole environment of a daemon: nothing of the caller's shell gets in."""
    return {
        "PATH": f"{bin_dir}:{SYSTEM_PATH}",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }


def python_environment(bin_dir: Path) -> dict[str, str]:
    """The environment of a daemon written in Python that imports this project."""
    project = Path(local.__file__).resolve().parent.parent
    return base_environment(bin_dir) | {"PYTHONPATH": str(project), "PYTHONUNBUFFERED": "1"}


def control_plane(instance: Instance, bin_dir: Path) -> tuple[DaemonSpec, ...]:
    """The daemons of the cluster. `bin_dir` holds the programs under their usual names."""
    env = base_environment(bin_dir)
    return (
        _etcd(bin_dir, env),
        _api_server(instance, bin_dir, env),
        _controller_manager(bin_dir, env),
        _scheduler(bin_dir, env),
        _containerd(bin_dir, env),
        _base_objects(bin_dir, env),
        _former_pods(bin_dir, env),
        _network_policies(python_environment(bin_dir)),
        _kubelet(instance, bin_dir, env),
        _kube_proxy(instance, bin_dir, env),
        _coredns(bin_dir, env),
        _metrics_server(instance, bin_dir, env),
        _provisioner(instance, python_environment(bin_dir)),
    )


def _kubeconfig(name: str) -> str:
    return str(NODE.pki / f"{name}.kubeconfig")


def _pem(name: str) -> str:
    return str(NODE.pki / name)


def _etcd(bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return DaemonSpec(
        name="etcd",
        argv=(
            str(bin_dir / "etcd"),
            f"--data-dir={NODE.etcd / 'data'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # The only member need not wait a second for the votes of others.
            "--heartbeat-interval=20",
            "--election-timeout=200",
            "--auto-compaction-retention=1h",
            "--log-level=warn",
        ),
        env=env,
        probe=Probe(target=f"{client}/health"),
        stop_seconds=15,
    )


def _api_server(instance: Instance, bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name=API_SERVER,
        argv=(
            str(bin_dir / "kube-apiserver"),
            "--etcd-servers=http://127.0.0.1:2379",
            "--secure-port=6443",
            "--bind-address=0.0.0.0",
            f"--advertise-address={instance.node_address}",
            f"--service-cluster-ip-range={instance.service_subnet}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--tls-cert-file={_pem('apiserver.crt')}",
            f"--tls-private-key-file={_pem('apiserver.key')}",
            f"--client-ca-file={_pem('ca.crt')}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={_pem('sa.pub')}",
            f"--service-account-signing-key-file={_pem('sa.key')}",
            f"--kubelet-certificate-authority={_pem('ca.crt')}",
            f"--kubelet-client-certificate={_pem('apiserver-kubelet-client.crt')}",
            f"--kubelet-client-key={_pem('apiserver-kubelet-client.key')}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--proxy-client-cert-file={_pem('front-proxy-client.crt')}",
            f"--proxy-client-key-file={_pem('front-proxy-client.key')}",
            f"--requestheader-client-ca-file={_pem('front-proxy-ca.crt')}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            "--enable-aggregator-routing=true",
        ),
        env=env,
        after=("etcd",),
        probe=Probe(target=f"{instance.api_url}/readyz", ca_file=NODE.pki / "ca.crt"),
    )


def _delegated(name: str) -> tuple[str, ...]:
    """Flags of a component that is a client of the API server and serves its own health and metrics on loopback."""
    return (
        f"--kubeconfig={_kubeconfig(name)}",
        f"--authentication-kubeconfig={_kubeconfig(name)}",
        f"--authorization-kubeconfig={_kubeconfig(name)}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={_pem('control-plane.crt')}",
        f"--tls-private-key-file={_pem('control-plane.key')}",
        "--leader-elect=false",
    )


def _controller_manager(bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name="kube-controller-manager",
        argv=(
            str(bin_dir / "kube-controller-manager"),
            *_delegated("controller-manager"),
            f"--service-account-private-key-file={_pem('sa.key')}",
            f"--root-ca-file={_pem('ca.crt')}",
            "--use-service-account-credentials=true",
            f"--cluster-signing-cert-file={_pem('ca.crt')}",
            f"--cluster-signing-key-file={_pem('ca.key')}",
            f"--flex-volume-plugin-dir={NODE.kubelet / 'volume-plugins'}",
            # A new autoscaler is looked at after this time for the first time: until then its Deployment has one pod.
            "--horizontal-pod-autoscaler-sync-period=5s",
        ),
        env=env,
        after=(API_SERVER,),
        probe=Probe(target="https://127.0.0.1:10257/healthz", ca_file=NODE.pki / "ca.crt"),
    )


def _scheduler(bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name="kube-scheduler",
        argv=(str(bin_dir / "kube-scheduler"), *_delegated("scheduler")),
        env=env,
        after=(API_SERVER,),
        probe=Probe(target="https://127.0.0.1:10259/healthz", ca_file=NODE.pki / "ca.crt"),
    )


def _containerd(bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name="containerd",
        argv=(str(bin_dir / "containerd"), f"--config={NODE.config / 'containerd.toml'}"),
        env=env,
        probe=Probe(target=f"unix:{CONTAINERD_SOCKET}"),
    )


def _kubectl(bin_dir: Path, task: str) -> tuple[str, ...]:
    """kubectl as the administrator, with a cache of the task's own: two of them run at once."""
    return (
        str(bin_dir / "kubectl"),
        f"--kubeconfig={_kubeconfig('admin')}",
        f"--cache-dir=/run/kubectl-cache/{task}",
    )


def _base_objects(bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    """Gives the identities below their rights, before they ask for anything and back off because they have none."""
    return DaemonSpec(
        name=BASE_OBJECTS,
        argv=(
            *_kubectl(bin_dir, BASE_OBJECTS),
            *SERVER_SIDE_APPLY,
            f"--filename={NODE.config / 'base-objects.json'}",
        ),
        env=env,
        after=(API_SERVER,),
        once=True,
    )


def _former_pods(bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    """Has the Deployments' pods of the last run made anew, as a cluster does whose node was away for minutes.

    Started again in place they would count as long running: their autoscalers would take the start's load for users'.
    """
    return DaemonSpec(
        name=FORMER_PODS,
        argv=(
            *_kubectl(bin_dir, FORMER_PODS),
            "delete",
            "pods",
            "--all-namespaces",
            # A label that each Deployment gives its pods, and nothing else does.
            "--selector=pod-template-hash",
            "--grace-period=0",
            "--force",
            "--wait=false",
        ),
        env=env,
        after=(API_SERVER,),
        once=True,
    )


def _network_policies(env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name="network-policies",
        argv=(
            sys.executable, "-m", "local.cluster.policy_enforcer", "--kubeconfig", _kubeconfig("network-policies"),
            "--records", str(POD_ADDRESSES), "--socket", str(POLICY_SOCKET),
        ),
        env=env,
        after=(BASE_OBJECTS,),
        probe=Probe(target=f"unix:{POLICY_SOCKET}"),
        stop_seconds=5,
    )  # fmt: skip


def _kubelet(instance: Instance, bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name=KUBELET,
        argv=(
            str(bin_dir / "kubelet"),
            f"--config={NODE.config / 'kubelet.json'}",
            f"--kubeconfig={_kubeconfig('node')}",
            f"--hostname-override={instance.name}",
            f"--node-ip={instance.node_address}",
            f"--root-dir={NODE.kubelet}",
        ),
        env=env,
        after=("containerd", API_SERVER, FORMER_PODS),
        probe=Probe(target="http://127.0.0.1:10248/healthz"),
        stop_seconds=5,
    )


def _kube_proxy(instance: Instance, bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name="kube-proxy",
        argv=(
            str(bin_dir / "kube-proxy"),
            f"--kubeconfig={_kubeconfig('kube-proxy')}",
            f"--hostname-override={instance.name}",
            f"--cluster-cidr={instance.pod_subnet}",
            "--proxy-mode=iptables",
            # Otherwise it would set the machine's connection tracking limits.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
            # etcd listens on loopback: no node port may lead there.
            "--iptables-localhost-nodeports=false",
            "--healthz-bind-address=127.0.0.1:10256",
            "--metrics-bind-address=127.0.0.1:10249",
        ),
        env=env,
        after=(API_SERVER,),
        probe=Probe(target="http://127.0.0.1:10256/livez"),
        stop_seconds=5,
    )


def _coredns(bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name="coredns",
        argv=(str(bin_dir / "coredns"), "-conf", str(NODE.config / "Corefile")),
        env=env,
        after=(BASE_OBJECTS,),
        probe=Probe(target="http://127.0.0.1:8181/ready"),
        stop_seconds=5,
    )


def _metrics_server(instance: Instance, bin_dir: Path, env: dict[str, str]) -> DaemonSpec:
    name = "metrics-server"
    return DaemonSpec(
        name=name,
        argv=(
            str(bin_dir / "metrics-server"),
            f"--kubeconfig={_kubeconfig(name)}",
            f"--authentication-kubeconfig={_kubeconfig(name)}",
            f"--authorization-kubeconfig={_kubeconfig(name)}",
            f"--kubelet-certificate-authority={_pem('ca.crt')}",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-request-timeout=5s",
            # The shortest that it accepts, so that HPAs see load soon.
            "--metric-resolution=10s",
            f"--bind-address={instance.node_address}",
            "--secure-port=4443",
            f"--tls-cert-file={_pem('metrics-server-tls.crt')}",
            f"--tls-private-key-file={_pem('metrics-server-tls.key')}",
        ),
        env=env,
        after=(BASE_OBJECTS, KUBELET),
        # /readyz waits for two rounds of figures, which must not hold up the cluster's start.
        probe=Probe(target=f"https://{instance.node_address}:4443/livez", ca_file=NODE.pki / "ca.crt"),
        stop_seconds=5,
    )


def _provisioner(instance: Instance, env: dict[str, str]) -> DaemonSpec:
    return DaemonSpec(
        name="volume-provisioner",
        argv=(
            sys.executable, "-m", "local.cluster.provisioner", "--kubeconfig", _kubeconfig("provisioner"),
            "--volumes", str(NODE.volumes), "--node", instance.name, "--address", str(instance.node_address),
        ),
        env=env,
        after=(BASE_OBJECTS,),
        stop_seconds=5,
    )  # fmt: skip
