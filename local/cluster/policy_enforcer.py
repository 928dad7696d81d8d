"""Daemon that enforces NetworkPolicies: keeps the node's firewall as the pods, namespaces and policies say.

The loop is level-triggered: at every change, and every RESYNC_SECONDS, it works all rules out anew and replaces them
where they differ. When the daemon dies the last rules stay in force, and no pod starts until it is back.

Addresses of pods come from the CNI plugin's records, never from the pods' status, which tells them late and, after a
restart of the node, wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socketserver
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

from local.cluster import firewall, nft
from local.cluster.control_loop import REQUEST_SECONDS, RETRY_SECONDS, wait_after
from local.cluster.network_policies import Pod, pod_of, pod_rules
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, Object

RESYNC_SECONDS = 5
# A little less than the plugin waits, so that it still hears the answer.
ANSWER_SECONDS = 25.0

_PODS = "/api/v1/pods"
_NAMESPACES = "/api/v1/namespaces"
_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
COLLECTIONS = (_PODS, _NAMESPACES, _POLICIES)


@dataclass(frozen=True)
class Record:
    """What the CNI plugin noted of a pod's network: the pod's uid, and its address."""

    uid: str
    address: IPv4Address


def read_records(folder: Path) -> dict[str, Record]:
    """The records by the sandbox's container id; of two with one address the newer is right."""
    dated: list[tuple[int, str, Record]] = []
    for file in folder.iterdir():
        if file.name.startswith("."):
            continue
        # It is gone already where the pod has just ended.
        with contextlib.suppress(FileNotFoundError):
            document = cast("dict[str, str]", json.loads(file.read_text()))
            record = Record(document["uid"], IPv4Address(document["address"]))
            dated.append((file.stat().st_mtime_ns, file.name, record))
    newest = {record.address: name for _, name, record in sorted(dated, key=lambda each: each[0])}
    return {name: record for _, name, record in dated if newest[record.address] == name}


def known_pods(records: Mapping[str, Record], pods: Iterable[Object]) -> dict[str, Pod]:
    """The pods that have both a record and an object, by container id."""
    by_uid = {pod["metadata"]["uid"]: pod for pod in pods}
    return {
        container: pod_of(by_uid[record.uid], record.address)
        for container, record in records.items()
        if record.uid in by_uid
    }


def namespace_labels(namespaces: Iterable[Object]) -> dict[str, dict[str, str]]:
    """The labels of the namespaces, by name."""
    return {
        item["metadata"]["name"]: cast("dict[str, str]", item["metadata"].get("labels") or {}) for item in namespaces
    }


def describe(flow: nft.Flow, pods: Iterable[Pod]) -> str:
    """A refused connection in words, with the pods' names."""
    names = {pod.address: f"{pod.namespace}/{pod.name}" for pod in pods}
    ends = (f"{names[end]} ({end})" if end in names else str(end) for end in (flow.source, flow.destination))
    return f"refused: {' -> '.join(ends)} {flow.protocol} {flow.port}"


class Enforcer:
    """The rules in force, and those who wait for them."""

    def __init__(self, api: Cluster, records: Path) -> None:
        self.changed = threading.Event()
        self._api = api
        self._records = records
        # As of the last news: while the API server is away they stay as they were.
        self._objects: dict[str, list[Object]] = {}
        self._script: str | None = None
        self._enforced: dict[str, Pod] = {}
        self._told: set[nft.Flow] = set()
        self._next_check = 0.0
        self._news = threading.Condition()

    def start(self) -> None:
        for path in COLLECTIONS:
            threading.Thread(target=self.follow, args=(path,), daemon=True).start()

    def follow(self, path: str) -> None:
        """Keep what a collection has, for ever."""
        for objects in self._api.watch(path, wait_after):
            self._objects[path] = objects
            self.changed.set()

    def reconcile(self) -> bool:
        """Put the rules in force that the present state asks for; False while that state is not known yet.

        Raises OSError where nft refuses them, ValueError for an object that cannot be understood.
        """
        if len(self._objects) < len(COLLECTIONS):
            return False
        pods, namespaces, policies = (self._objects[path] for path in COLLECTIONS)
        known = known_pods(read_records(self._records), pods)
        script = firewall.script(pod_rules(list(known.values()), namespace_labels(namespaces), policies))
        if script != self._script or not self._still_in_force():
            # The kernel's list of them goes with the rules.
            self._tell_refused()
            nft.apply(script)
            self._script = script
            self._told.clear()
        with self._news:
            self._enforced = known
            self._news.notify_all()
        return True

    def await_rules(self, container: str) -> bool:
        """Whether, in time, the rules agree with the record of the container, or with there being none."""
        self.changed.set()
        with self._news:
            return self._news.wait_for(lambda: self._agrees(container), ANSWER_SECONDS)

    def _agrees(self, container: str) -> bool:
        return (container in self._enforced) == (self._records / container).exists()

    def _still_in_force(self) -> bool:
        """Looks every RESYNC_SECONDS: somebody may have flushed all rules of the node."""
        if time.monotonic() < self._next_check:
            return True
        self._next_check = time.monotonic() + RESYNC_SECONDS
        self._tell_refused()
        return nft.is_in_force()

    def _tell_refused(self) -> None:
        for flow in nft.refused():
            if flow not in self._told:
                self._told.add(flow)
                print(describe(flow, self._enforced.values()), flush=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    enforcer: Enforcer


class _Handler(socketserver.StreamRequestHandler):
    """Answers "ok" to a container's id as soon as its rules are in force; the supervisor's probe asks nothing."""

    def handle(self) -> None:
        container = self.rfile.readline().decode().strip()
        if container and "/" not in container:
            ready = cast("_Server", self.server).enforcer.await_rules(container)
            # Who asked may have given up.
            with contextlib.suppress(OSError):
                self.wfile.write(b"ok\n" if ready else b"late\n")


def serve(enforcer: Enforcer, listener: Path) -> None:
    """Answer the CNI plugin, on threads of their own."""
    listener.unlink(missing_ok=True)
    server = _Server(str(listener), _Handler)
    server.enforcer = enforcer
    threading.Thread(target=server.serve_forever, daemon=True).start()


def run(kubeconfig: Path, records: Path, listener: Path) -> None:
    """Work for ever; problems are logged and tried again."""
    records.mkdir(parents=True, exist_ok=True)
    with kubernetes.connect(REQUEST_SECONDS, kubeconfig) as api:
        enforcer = Enforcer(api, records)
        enforcer.start()
        serving = False
        while True:
            enforcer.changed.wait(RESYNC_SECONDS)
            enforcer.changed.clear()
            try:
                known = enforcer.reconcile()
            except (OSError, ValueError, KeyError) as error:
                print(f"trying again in {RETRY_SECONDS:g} s: {error}", flush=True)
                enforcer.changed.wait(RETRY_SECONDS)
                enforcer.changed.set()
                continue
            if known and not serving:
                serve(enforcer, listener)
                serving = True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    arguments = parser.parse_args()
    run(arguments.kubeconfig, arguments.records, arguments.socket)
    return 0


if __name__ == "__main__":
    sys.exit(main())
