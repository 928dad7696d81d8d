"""The embedded cluster as a whole, on an instance of its own: real daemons, real pods, real faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from local.cluster import cgroups, identity, lifecycle, mount_point, network
from local.cluster.daemons import DaemonSpec, Probe, base_environment
from local.cluster.errors import ClusterError
from local.cluster.layout import cgroup_root
from local.cluster.lifecycle import ClusterSpec
from local.cluster.lock import exclusive
from local.cluster.machine import why_containers_cannot_run
from local.cluster.status import DaemonState, Phase
from local.paths import Instance
from tests.environment.cluster import host_state
from tests.environment.cluster.host_state import HostState
from tests.environment.cluster.small_cluster import SmallCluster, cleaned, small_instance, write_image
from tests.running.slots import cluster_slot
from tests.waiting import wait_until

POD = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: crypto}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: postgres, namespace: crypto}
spec: {selector: {app: web}, ports: [{port: 5432, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: crypto, labels: {app: web}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 999, fsGroup: 999, seccompProfile: {type: RuntimeDefault}}
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: localhost/crypto/cluster-test:1
    args:
    - -c
    - |
      trap 'echo ended >> /data/ended; exit 0' TERM
      echo started >> /data/started; echo hello > /data/index.html; echo serving
      httpd -p 8080 -h /data
      while :; do :; done
    readinessProbe: {httpGet: {path: /index.html, port: 8080}, periodSeconds: 1}
    resources: {requests: {cpu: 20m, memory: 8Mi}, limits: {cpu: 100m, memory: 64Mi}}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: stateless, namespace: crypto}
spec:
  selector: {matchLabels: {app: stateless}}
  template:
    metadata: {labels: {app: stateless}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
      terminationGracePeriodSeconds: 1
      containers:
      - name: stateless
        image: localhost/crypto/cluster-test:1
        args: [-c, "trap 'exit 0' TERM; sleep 86400 & wait"]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
"""
NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: crypto, labels: {pod-security.kubernetes.io/enforce: restricted}}
"""


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the only container of a pod is Ready; before its first start the pod has no word of it."""
    statuses = cast("list[dict[str, Any]]", pod["status"].get("containerStatuses") or [])
    return bool(statuses) and bool(statuses[0]["ready"])


@dataclass(frozen=True)
class Cluster(SmallCluster):
    """The instance under test, and what the machine was like before it."""

    before: HostState

    def await_pod_ready(self, restarts: int) -> None:
        """Wait until the pod is Ready in its container's `restarts`th run (what etcd says of an earlier run is old)."""

        def ready() -> bool:
            pod = cast("dict[str, Any]", json.loads(self.kubectl("-n", "crypto", "get", "pod", "web", "-o", "json")))
            return is_ready(pod) and pod["status"]["containerStatuses"][0]["restartCount"] >= restarts

        wait_until(ready, f"the pod is Ready after {restarts} restarts", 60)

    def restarts(self) -> int:
        """How often the container of the pod was started again."""
        counted = "jsonpath={.status.containerStatuses[0].restartCount}"
        return int(self.kubectl("-n", "crypto", "get", "pod", "web", "-o", counted))

    def starts(self) -> int:
        """How often the pod has written that it began."""
        return (self.volume() / "started").read_text().count("started\n")

    def volume(self) -> Path:
        name = self.kubectl("-n", "crypto", "get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}")
        assert name
        return self.layout.volumes / name


@pytest.fixture(scope="module")
def cluster(tools_bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = why_containers_cannot_run()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("cluster")
    instance = small_instance(folder, f"crypto-test-{os.getpid()}", cluster_slot(1))
    archive = folder / "image.tar"
    write_image(archive, {"bin/kubectl": tools_bin_dir / "kubectl"})
    (folder / "hello").write_text("from beside the cluster")
    beside = DaemonSpec(
        name="beside",
        argv=(sys.executable, "-m", "http.server", "4566", "-b", str(instance.node_address), "-d", str(folder)),
        env=base_environment(tools_bin_dir),
        probe=Probe(target=f"{instance.aws_url}/hello"),
    )
    spec = ClusterSpec(instance, tools_bin_dir, (beside,), image_archives=(archive,))
    # What an instance that was killed has left would be removed by this one: no difference that it makes.
    mount_point.remove()
    before = host_state.look(instance)
    with cleaned(instance):
        lifecycle.up(spec)
        running = Cluster(spec, before)
        running.add_namespace(NAMESPACE, "crypto")
        running.kubectl("apply", "-f", "-", stdin=POD)
        running.await_pod_ready(restarts=0)
        yield running


def test_every_daemon_is_ready_once_up_returns(cluster: Cluster) -> None:
    current = lifecycle.status(cluster.instance)
    assert current.phase is Phase.RUNNING
    assert {daemon.name for daemon in current.daemons} >= {"etcd", "kube-apiserver", "kubelet", "coredns", "beside"}
    assert {daemon.state for daemon in current.daemons} == {DaemonState.READY, DaemonState.DONE}
    assert "Ready" in cluster.kubectl("get", "node", cluster.instance.name, "--no-headers").split()


def test_a_pod_reaches_the_api_server_and_services_by_name(cluster: Cluster) -> None:
    inside = ("-n", "crypto", "exec", "web", "--")
    # By its name, with the account's own token, checked against the account's own certificate authority.
    question = (
        "cd /var/run/secrets/kubernetes.io/serviceaccount && kubectl --server=https://kubernetes.default "
        '--certificate-authority=ca.crt --token="$(cat token)" get --raw /version'
    )
    answer = cluster.kubectl(*inside, "sh", "-c", question)
    assert json.loads(answer)["gitVersion"].startswith("v1.")
    for name in ("postgres", "postgres.crypto.svc"):
        assert cluster.kubectl(*inside, "wget", "-qO-", f"http://{name}:5432/") == "hello\n"


def test_host_and_pods_reach_a_daemon_beside_the_cluster(cluster: Cluster) -> None:
    url = f"{cluster.instance.aws_url}/hello"
    assert httpx.get(url, trust_env=False).text == "from beside the cluster"
    assert cluster.kubectl("-n", "crypto", "exec", "web", "--", "wget", "-qO-", url) == "from beside the cluster"


def test_the_host_reaches_a_service_by_its_cluster_address(cluster: Cluster) -> None:
    address = cluster.kubectl("-n", "crypto", "get", "service", "postgres", "-o", "jsonpath={.spec.clusterIP}")
    assert httpx.get(f"http://{address}:5432/", trust_env=False).text == "hello\n"


def test_logs_show_what_a_pod_writes(cluster: Cluster) -> None:
    assert cluster.kubectl("-n", "crypto", "logs", "web") == "serving\n"


def test_a_volume_belongs_to_the_group_of_its_pod(cluster: Cluster) -> None:
    assert cluster.volume().stat().st_gid == 999
    assert (cluster.volume() / "index.html").read_text() == "hello\n"


def test_the_metrics_api_serves_the_real_load_of_a_pod(cluster: Cluster) -> None:
    path = "/apis/metrics.k8s.io/v1beta1/namespaces/crypto/pods"
    loads: list[int] = []

    def measured() -> bool:
        items = cast("list[dict[str, Any]]", json.loads(cluster.kubectl("get", "--raw", path))["items"])
        loads[:] = [int(str(item["containers"][0]["usage"]["cpu"]).removesuffix("n")) for item in items]
        return bool(loads)

    wait_until(measured, "there are figures", 60)
    # The pod spins against its limit of 100m (10^8 nanocores); its request is 20m.
    assert 50_000_000 < loads[0] < 150_000_000


def test_a_second_up_leaves_the_running_cluster_alone(cluster: Cluster) -> None:
    before, pid = cluster.supervisor(), lifecycle.host_pid(cluster.instance, "kube-apiserver")
    assert pid is not None
    messages: list[str] = []
    lifecycle.up(cluster.spec, messages.append)
    assert messages == []
    assert cluster.supervisor() == before
    assert lifecycle.host_pid(cluster.instance, "kube-apiserver") == pid


def test_a_second_command_at_the_same_time_is_refused(cluster: Cluster) -> None:
    with exclusive(cluster.instance), pytest.raises(ClusterError, match="another command"):
        lifecycle.up(cluster.spec)


def test_a_killed_etcd_is_started_again_with_its_data(cluster: Cluster) -> None:
    cluster.kubectl("-n", "crypto", "create", "configmap", "written-just-before", "--from-literal=a=b")
    pid = lifecycle.host_pid(cluster.instance, "etcd")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    def restarted() -> bool:
        daemon = lifecycle.status(cluster.instance).daemon("etcd")
        return daemon is not None and daemon.restarts == 1 and daemon.state is DaemonState.READY

    wait_until(restarted, "etcd was started again", 30)
    wait_until(lambda: _serves(cluster), "the API server has recovered", 30)
    assert "written-just-before" in cluster.kubectl("-n", "crypto", "get", "configmap", "-o", "name")


def _serves(cluster: Cluster) -> bool:
    try:
        cluster.kubectl("get", "--raw", "/readyz")
    except AssertionError:
        return False
    return True


def test_down_ends_pods_in_good_order_and_up_brings_them_back_with_their_data(cluster: Cluster) -> None:
    volume = cluster.volume()
    assert lifecycle.down(cluster.instance)
    assert (volume / "ended").read_text() == "ended\n"
    assert lifecycle.status(cluster.instance).phase is Phase.STOPPED
    lifecycle.up(cluster.spec)
    cluster.await_pod_ready(restarts=1)
    assert (volume / "started").read_text() == "started\nstarted\n"


def test_a_deployments_pod_is_made_anew_by_up_so_that_its_start_is_nobodys_load(cluster: Cluster) -> None:
    def pods() -> list[dict[str, Any]]:
        return json.loads(cluster.kubectl("-n", "crypto", "get", "pods", "--selector=app=stateless", "-o", "json"))[
            "items"
        ]

    def only_one_ready() -> bool:
        """The pods themselves are asked: right after `up` the Deployment's status still speaks of its former one."""
        found = pods()
        return len(found) == 1 and is_ready(found[0])

    cluster.kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    wait_until(only_one_ready, "the Deployment has a pod", 60)
    former = {pod["metadata"]["uid"] for pod in pods()}
    restarts = cluster.restarts()
    try:
        assert lifecycle.down(cluster.instance)
        lifecycle.up(cluster.spec)
        wait_until(only_one_ready, "the Deployment has a pod again", 60)
        (pod,) = pods()
        assert pod["metadata"]["uid"] not in former
        assert [status["restartCount"] for status in pod["status"]["containerStatuses"]] == [0]
    finally:
        cluster.kubectl("delete", "-f", "-", stdin=DEPLOYMENT)
        cluster.await_pod_ready(restarts + 1)


def test_up_works_with_its_data_after_everything_was_killed_from_outside(cluster: Cluster) -> None:
    cluster.kubectl("-n", "crypto", "create", "configmap", "written-before-the-kill", "--from-literal=a=b")
    restarts, starts = cluster.restarts(), cluster.starts()
    supervisor = cluster.supervisor()
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not identity.is_alive(supervisor), "the supervisor has ended", 30)
    # At once: the kernel may still be ending the daemons.
    lifecycle.up(cluster.spec)
    cluster.await_pod_ready(restarts + 1)
    assert "written-before-the-kill" in cluster.kubectl("-n", "crypto", "get", "configmap", "-o", "name")
    assert cluster.starts() == starts + 1


def test_another_instance_in_the_same_slot_is_refused_and_disturbs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    other = Instance(f"other-{os.getpid()}", cluster.instance.slot, tmp_path / "state", tmp_path / "cache")
    try:
        with pytest.raises(ClusterError, match=r"subnet .* overlaps .* \(cry\d+-.*set CRYPTO_SLOT"):
            lifecycle.up(ClusterSpec(other, cluster.spec.bin_dir))
        assert not cgroups.exists(cgroup_root(other))
    finally:
        lifecycle.clean(other)
    assert _serves(cluster)


def test_a_daemon_that_cannot_run_makes_up_fail_by_its_name_and_the_next_up_work(cluster: Cluster) -> None:
    restarts = cluster.restarts()
    broken = DaemonSpec(name="broken", argv=("/bin/sh", "-c", "echo no such bucket; exit 3"))
    with pytest.raises(ClusterError, match=r"broken keeps ending \(exit code 3\): no such bucket"):
        lifecycle.up(replace(cluster.spec, extra_daemons=(broken,)))
    assert lifecycle.status(cluster.instance).phase is Phase.STOPPED
    assert not cgroups.exists(cgroup_root(cluster.instance))
    lifecycle.up(cluster.spec)
    cluster.await_pod_ready(restarts + 1)


def test_a_deleted_claim_takes_its_folder_along(cluster: Cluster) -> None:
    folder = cluster.volume()
    assert folder.is_dir()
    cluster.kubectl("-n", "crypto", "delete", "pod/web", "pvc/data", "--timeout=60s")
    wait_until(lambda: not folder.exists(), "the folder is gone", 30)
    wait_until(lambda: cluster.kubectl("get", "pv", "-o", "name") == "", "the volume is gone", 30)


def test_a_tampered_pid_file_makes_down_end_the_cluster_and_nothing_else(cluster: Cluster) -> None:
    supervisor = cluster.supervisor()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            facts = identity.facts(stranger.pid)
            assert facts is not None
            identity.write(cluster.layout.process, facts.identity)
            assert lifecycle.down(cluster.instance)
            assert stranger.poll() is None
            assert not identity.is_alive(supervisor)
        finally:
            stranger.kill()


def test_another_environment_is_in_no_picture_of_this_one(cluster: Cluster) -> None:
    before = host_state.look(cluster.instance)
    other = "cry250-0a1b2c"
    subprocess.run(["ip", "link", "add", other, "type", "veth", "peer", "name", "peer-0a1b2c"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "10.231.250.1/24", "dev", other], check=True)
        subprocess.run(["ip", "link", "set", other, "up"], check=True)
        assert host_state.look(cluster.instance).differences(before) == []
    finally:
        subprocess.run(["ip", "link", "delete", other], check=True)


def test_down_leaves_nothing_behind_on_the_host(cluster: Cluster) -> None:
    lifecycle.up(cluster.spec)
    supervisor = cluster.supervisor()
    during = host_state.look(cluster.instance)
    assert network.interface_name(cluster.instance) in during.links
    assert cgroups.exists(cgroup_root(cluster.instance))
    assert during.differences(cluster.before)
    assert lifecycle.down(cluster.instance)
    assert host_state.await_same(cluster.before, cluster.instance, seconds=15) == []
    assert identity.members(supervisor) == []
    assert not [found for found in identity.all_facts() if any(str(cluster.layout.root) in part for part in found.argv)]
    assert not lifecycle.down(cluster.instance)
