"""NetworkPolicies on the embedded cluster: what they allow passes between real pods, and nothing else does.

Each test first closes the namespace `shop` and sees that; so what passes afterwards passes by a policy of the test.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from local.cluster import lifecycle
from local.cluster.layout import POD_ADDRESSES
from local.cluster.lifecycle import ClusterSpec
from local.cluster.machine import why_containers_cannot_run
from local.cluster.status import DaemonState
from tests.environment.cluster.small_cluster import (
    IMAGE,
    SmallCluster,
    cleaned,
    small_instance,
    write_image,
)
from tests.running.slots import cluster_slot
from tests.waiting import stopped, wait_until

ENFORCER = "network-policies"
# Ends when it is told to, which a container's first process does only if it says so.
WAIT = "trap 'exit 0' TERM; sleep 3600 & wait"
NAMESPACES = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: watch, labels: {team: watch}}
"""
SERVER = f"""
apiVersion: v1
kind: Service
metadata: {{name: server, namespace: shop}}
spec: {{selector: {{app: server}}, ports: [{{port: 80, targetPort: web}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: server, namespace: shop, labels: {{app: server}}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: server
    image: {IMAGE}
    args: ["-c", "cd /www && echo hello > index.html && touch ready && httpd -p 8080 && httpd -p 9090; {WAIT}"]
    ports: [{{name: web, containerPort: 8080}}]
    readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 1, failureThreshold: 1}}
    volumeMounts: [{{name: www, mountPath: /www}}]
  volumes: [{{name: www, emptyDir: {{}}}}]
"""


def _pod(namespace: str, name: str, app: str, command: str, more: str = "") -> str:
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {app}}}}}
spec:
  {more}
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{{name: it, image: "{IMAGE}", args: ["-c", "{command}"]}}]
"""


def _policy(name: str, spec: str) -> str:
    return f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: shop}}
spec: {spec}
"""


DENY = _policy("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}")
CLIENT_TO = "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [%s]}"
SERVER_FROM = "{podSelector: {matchLabels: {app: server}}, ingress: [%s]}"
CLIENT_TO_SERVER = _policy("out", CLIENT_TO % "{to: [{podSelector: {matchLabels: {app: server}}}]}")
SERVER_FROM_CLIENT = _policy(
    "in", SERVER_FROM % "{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: web}]}"
)


class Cluster(SmallCluster):
    """The cluster with a server, a client and a stranger in `shop`, and a scraper in `watch`."""

    def apply(self, *manifests: str) -> None:
        self.kubectl("apply", "-f", "-", stdin="---".join(manifests))

    def address(self, pod: str) -> str:
        found = self.kubectl("-n", "shop", "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
        assert found
        return found

    def url(self, port: int) -> str:
        return f"http://{self.address('server')}:{port}/"

    def reaches(self, pod: str, url: str) -> bool:
        """Whether the pod ("namespace/name") gets an answer; anything but an answer or a refusal is a failure."""
        namespace, name = pod.split("/")
        done = self.try_kubectl("-n", namespace, "exec", name, "--", "wget", "-qO-", url)
        output = done.stdout + done.stderr
        # The API server says 400 to plain HTTP: it was reached.
        if done.stdout == "hello\n" or "400 Bad Request" in output:
            return True
        assert "No route to host" in output, output
        return False

    def resolves(self, pod: str) -> bool:
        namespace, name = pod.split("/")
        done = self.try_kubectl("-n", namespace, "exec", name, "--", "nslookup", "server.shop.svc.cluster.local")
        assert "10.96." in done.stdout or "No route to host" in done.stdout + done.stderr, done.stdout
        return done.returncode == 0

    def reached(self, *ways: tuple[str, str]) -> list[tuple[str, str]]:
        """Those of the ways (from a pod to a URL) that are open; asked together, because a refusal takes a second."""
        pods, urls = zip(*ways, strict=True)
        with ThreadPoolExecutor(len(ways)) as pool:
            return [way for way, is_open in zip(ways, pool.map(self.reaches, pods, urls), strict=True) if is_open]

    def await_reaches(self, pod: str, url: str) -> None:
        wait_until(lambda: self.reaches(pod, url), f"{pod} reaches {url}", 20)

    def close(self) -> None:
        """Default-deny, in force for both directions."""
        self.apply(DENY)
        ways = [(pod, self.url(8080)) for pod in ("shop/client", "watch/scraper")]
        wait_until(lambda: self.reached(*ways) == [], "the namespace is closed", 20)

    def is_ready(self, pod: str) -> bool:
        path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("-n", "shop", "get", "pod", pod, "-o", path) == "True"

    def phase(self, pod: str) -> str:
        return self.kubectl("-n", "shop", "get", "pod", pod, "-o", "jsonpath={.status.phase}")

    @contextmanager
    def without_enforcer(self) -> Generator[None]:
        """The daemon stands still meanwhile."""
        pid = lifecycle.host_pid(self.instance, ENFORCER)
        assert pid is not None
        with stopped(pid):
            yield

    def records(self) -> list[str]:
        return self.on_node("ls", str(POD_ADDRESSES)).split()

    def output_of(self, name: str) -> str:
        """All that a pod has written, once it has ended."""
        wait_until(lambda: self.phase(name) in ("Succeeded", "Failed"), f"{name} ends", 30)
        return self.kubectl("-n", "shop", "logs", name)

    def on_node(self, *command: str) -> str:
        """The output of a command in the namespaces of the node."""
        enter = ("nsenter", "--net", "--mount", f"--target={self.supervisor().pid}")
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=True).stdout

    def rules(self) -> str:
        return self.on_node("nft", "list", "table", "inet", "network_policies")


@pytest.fixture(scope="module")
def running(tools_bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = why_containers_cannot_run()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("policies")
    instance = small_instance(folder, f"policies-{os.getpid()}", cluster_slot(2))
    archive = folder / "image.tar"
    write_image(archive)
    cluster = Cluster(ClusterSpec(instance, tools_bin_dir, image_archives=(archive,)))
    with cleaned(instance):
        lifecycle.up(cluster.spec)
        for namespace in ("shop", "watch"):
            cluster.add_namespace(NAMESPACES, namespace)
        pods = (("shop", "client"), ("shop", "stranger"), ("watch", "scraper"))
        cluster.apply(SERVER, *(_pod(namespace, name, name, WAIT) for namespace, name in pods))
        for namespace in ("shop", "watch"):
            cluster.kubectl("-n", namespace, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The cluster without any policy, and everything open."""
    yield running
    running.kubectl("-n", "shop", "delete", "networkpolicy", "--all")
    running.await_reaches("shop/client", running.url(8080))


def test_without_a_policy_everything_is_open(cluster: Cluster) -> None:
    node = f"http://{cluster.instance.node_address}:6443/"
    ways = [("shop/client", cluster.url(8080)), ("watch/scraper", cluster.url(9090)), ("shop/client", node)]
    assert cluster.reached(*ways) == ways
    assert cluster.resolves("shop/client")


def test_default_deny_closes_both_directions_and_no_other_namespace_and_its_removal_opens_them(
    cluster: Cluster,
) -> None:
    node = f"http://{cluster.instance.node_address}:6443/"
    cluster.close()
    inward, outward = ("watch/scraper", cluster.url(9090)), ("shop/stranger", node)
    assert cluster.reached(inward, outward, ("watch/scraper", node)) == [("watch/scraper", node)]
    assert not cluster.resolves("shop/client")
    cluster.kubectl("-n", "shop", "delete", "networkpolicy", "deny")
    wait_until(lambda: cluster.reached(inward, outward) == [inward, outward], "they are open", 20)


def test_a_flow_allowed_by_labels_passes_and_no_other_port_and_no_other_pod_does(cluster: Cluster) -> None:
    cluster.close()
    cluster.apply(CLIENT_TO_SERVER, SERVER_FROM_CLIENT)
    cluster.await_reaches("shop/client", cluster.url(8080))
    others = [("shop/stranger", cluster.url(8080)), ("watch/scraper", cluster.url(8080))]
    assert cluster.reached(("shop/client", cluster.url(9090)), *others) == []


def test_pods_of_a_namespace_are_allowed_by_its_labels(cluster: Cluster) -> None:
    cluster.close()
    cluster.apply(
        _policy("in", SERVER_FROM % "{from: [{namespaceSelector: {matchLabels: {team: watch}}}]}"), CLIENT_TO_SERVER
    )
    cluster.await_reaches("watch/scraper", cluster.url(9090))
    assert not cluster.reaches("shop/client", cluster.url(8080))


def test_a_block_of_addresses_opens_the_node_on_its_ports_after_a_services_address_was_replaced(
    cluster: Cluster,
) -> None:
    node, service = cluster.instance.node_address, cluster.instance.kubernetes_address
    cluster.close()
    cluster.apply(_policy("out", CLIENT_TO % f"{{to: [{{ipBlock: {{cidr: {node}/32}}}}], ports: [{{port: 6443}}]}}"))
    cluster.await_reaches("shop/client", f"http://{node}:6443/")
    assert cluster.reaches("shop/client", f"http://{service}:443/")
    other_port, other_address = f"http://{node}:4443/", f"http://{cluster.instance.pod_subnet[1]}:6443/"
    others = [("shop/client", other_port), ("shop/client", other_address), ("shop/stranger", f"http://{node}:6443/")]
    assert cluster.reached(*others) == []


def test_names_are_resolved_only_where_the_way_to_the_nodes_dns_is_allowed(cluster: Cluster) -> None:
    cluster.close()
    dns = f"{{to: [{{ipBlock: {{cidr: {cluster.instance.node_address}/32}}}}], ports: [{{protocol: UDP, port: 53}}]}}"
    cluster.apply(_policy("dns", CLIENT_TO % dns))
    wait_until(lambda: cluster.resolves("shop/client"), "a name is resolved", 20)
    assert not cluster.resolves("shop/stranger")
    cluster.apply(CLIENT_TO_SERVER, SERVER_FROM_CLIENT)
    # Port 80 of the Service is port 8080 of the pod, and only that one is allowed.
    cluster.await_reaches("shop/client", "http://server/")


def test_probes_of_the_kubelet_and_the_machines_own_shell_always_pass(cluster: Cluster) -> None:
    cluster.close()
    assert httpx.get(cluster.url(8080), trust_env=False).text == "hello\n"
    inside = ("-n", "shop", "exec", "server", "--")
    cluster.kubectl(*inside, "rm", "/www/ready")
    wait_until(lambda: not cluster.is_ready("server"), "the probe looks", 20)
    cluster.kubectl(*inside, "touch", "/www/ready")
    wait_until(lambda: cluster.is_ready("server"), "the probe passes", 20)


def test_a_pod_starts_under_its_rules_and_not_before_and_leaves_none(cluster: Cluster) -> None:
    cluster.close()
    cluster.apply(CLIENT_TO_SERVER, SERVER_FROM_CLIENT)
    cluster.await_reaches("shop/client", cluster.url(8080))
    ask = f"wget -qO- {cluster.url(8080)} 2>&1"
    with cluster.without_enforcer():
        recorded = len(cluster.records())
        cluster.apply(*(_pod("shop", f"early-{app}", app, ask) for app in ("client", "stranger")))
        wait_until(lambda: len(cluster.records()) == recorded + 2, "the pods have addresses", 20)
        # A pod of the node's own network is under no rule. By the time that it has ended the others could have, too.
        cluster.apply(_pod("shop", "on-node", "stranger", ask, "hostNetwork: true"))
        assert cluster.output_of("on-node") == "hello\n"
        assert [cluster.phase(f"early-{app}") for app in ("client", "stranger")] == ["Pending", "Pending"]
    # One try each: a moment without rules would let the one through, and one without the pass refuse the other.
    assert cluster.output_of("early-client") == "hello\n"
    assert "No route to host" in cluster.output_of("early-stranger")
    gone = [cluster.address(f"early-{app}") for app in ("client", "stranger")]
    assert f"chain egress-{cluster.address('client')} " in cluster.rules()
    wait_until(lambda: not any(f"{each} " in cluster.rules() for each in gone), "the rules of ended pods are gone", 20)


def test_rules_outlive_the_daemon_that_made_them_and_follow_the_policies_again_once_it_is_back(
    cluster: Cluster,
) -> None:
    cluster.close()
    pid = lifecycle.host_pid(cluster.instance, ENFORCER)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert not cluster.reaches("shop/client", cluster.url(8080))
    cluster.apply(CLIENT_TO_SERVER, SERVER_FROM_CLIENT)
    cluster.await_reaches("shop/client", cluster.url(8080))
    assert not cluster.reaches("shop/stranger", cluster.url(8080))
    daemon = lifecycle.status(cluster.instance).daemon(ENFORCER)
    assert daemon is not None
    assert (daemon.restarts, daemon.state) == (1, DaemonState.READY)


def test_the_log_names_who_was_refused_what(cluster: Cluster) -> None:
    cluster.close()
    line = f"refused: shop/client ({cluster.address('client')}) -> shop/server ({cluster.address('server')}) TCP 8080"
    log = cluster.layout.log_file(ENFORCER)
    wait_until(lambda: line in log.read_text(), "the refusal is in the log", 20)


def test_a_pod_cannot_go_round_its_rules_by_ipv6(cluster: Cluster) -> None:
    cluster.close()
    link = cluster.on_node("ip", "route", "get", cluster.address("client")).split()[2]
    address = cluster.on_node("ip", "-6", "-brief", "address", "show", "dev", link).split()[2].partition("/")[0]
    assert address.startswith("fe80:")
    # CoreDNS listens on every address of the node, the one at the other end of the pod's link among them.
    done = cluster.try_kubectl("-n", "shop", "exec", "client", "--", "nc", "-w", "1", f"{address}%eth0", "53")
    assert done.returncode != 0
    assert "timed out" in done.stderr
