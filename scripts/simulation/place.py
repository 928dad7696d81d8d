"""Where a simulation runs: the embedded environment and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from runbook import simulations
from runbook.ops_settings import OpsSettings
from scripts import lazy
from scripts.clients.kubernetes import Cluster, NotFoundError
from scripts.exits import TemporaryError, UsageError

MONITORING: Final = "monitoring"
# A pod that is to keep a gigabyte answers when it has it, which takes a machine with other work its time.
_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster, the settings, and the address at which notifications are shown.

    ``afterwards`` has what a fault leaves until every alert is over.
    """

    cluster: Cluster
    settings: OpsSettings
    notifications: str
    afterwards: ExitStack = field(default_factory=ExitStack)

    @property
    def namespace(self) -> str:
        """The system's namespace."""
        return self.settings.namespace

    def pods(self, app: str) -> Iterator[Any]:
        """The running pods of a workload."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        for pod in self.cluster.items(path, {"labelSelector": f"app={app}"}):
            if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]:
                yield pod


def find(cluster: Cluster, settings: OpsSettings) -> Place:
    """The embedded environment.

    Raises:
        UsageError: this cluster is another one.
    """
    _must_be_embedded(cluster)
    try:
        service = cluster.get(f"/api/v1/namespaces/{MONITORING}/services/notifications")["spec"]
    except NotFoundError:
        raise UsageError("nothing shows notifications here: bring the environment up with `make up`") from None
    return Place(cluster, settings, f"http://{service['clusterIP']}:{service['ports'][0]['port']}/")


def _must_be_embedded(cluster: Cluster) -> None:
    name = simulations.EMBEDDED_STORAGE_CLASS
    try:
        found = cluster.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}").get("provisioner")
    except NotFoundError:
        found = None
    if found != simulations.EMBEDDED_PROVISIONER:
        raise UsageError(
            f"this cluster is not the embedded environment (its StorageClass {name} is of {found or 'nobody'}): a "
            "simulation breaks things, and runs nowhere else; see `make up`"
        )


def ask(method: str, url: str, body: object = None) -> Any:
    """The JSON that an address of the environment answers.

    Raises:
        TemporaryError: it does not answer, or not well.
    """
    try:
        with lazy.httpx.Client(timeout=_SECONDS, trust_env=False) as client:
            answer = client.request(method, url, json=body)
            answer.raise_for_status()
            return answer.json()
    except (lazy.httpx.HTTPError, ValueError) as error:
        raise TemporaryError(f"{url}: {error or type(error).__name__}") from None
