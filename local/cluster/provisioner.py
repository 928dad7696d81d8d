"""Dynamic provisioner of the StorageClass `standard`: volumes are folders of the instance, type `local`.

`local` rather than `hostPath`, because only then does the kubelet apply a pod's fsGroup. A pass compares what is with
what should be, so a crash between two steps needs no repair.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from local.cluster import control_loop, ingress_status, volume_growth
from runbook.simulations import EMBEDDED_PROVISIONER
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster, ConflictError, Object

PROVISIONER_NAME = EMBEDDED_PROVISIONER

_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_CLAIMS = "/api/v1/persistentvolumeclaims"
_VOLUMES = "/api/v1/persistentvolumes"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_VOLUME_NAME = re.compile(r"pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _metadata(item: Object) -> Object:
    return cast("Object", item["metadata"])


def _annotations(item: Object) -> dict[str, str]:
    return cast("dict[str, str]", _metadata(item).get("annotations") or {})


def volume_name(claim: Object) -> str:
    return f"pvc-{_metadata(claim)['uid']}"


def wants_volume(claim: Object, node: str) -> bool:
    """Whether the claim waits for a volume from this provisioner on this node."""
    annotations = _annotations(claim)
    return (
        annotations.get(_PROVISIONER) == PROVISIONER_NAME
        and annotations.get(_SELECTED_NODE) == node
        and not claim["spec"].get("volumeName")
        and "deletionTimestamp" not in _metadata(claim)
    )


def refusal(claim: Object) -> str | None:
    """Why the claim cannot be satisfied, or None."""
    if claim["spec"].get("volumeMode", "Filesystem") != "Filesystem":
        return "volumeMode Block is not offered: use Filesystem"
    if claim["spec"].get("selector") or claim["spec"].get("dataSource"):
        return "selector and dataSource are not offered: leave them out"
    return None


def volume_for(claim: Object, node: str, folder: Path, reclaim_policy: str) -> Object:
    """The PersistentVolume for a claim; `folder` is where its data lies on the node."""
    metadata = _metadata(claim)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim), "annotations": {_PROVISIONED_BY: PROVISIONER_NAME}},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": reclaim_policy,
            "storageClassName": claim["spec"]["storageClassName"],
            "volumeMode": "Filesystem",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "local": {"path": str(folder)},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
                    ]
                }
            },
        },
    }


def is_to_be_removed(volume: Object) -> bool:
    """Whether the volume was made here, is released, and its data is not to be kept."""
    return (
        _annotations(volume).get(_PROVISIONED_BY) == PROVISIONER_NAME
        and volume.get("status", {}).get("phase") in ("Released", "Failed")
        and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        and "deletionTimestamp" not in _metadata(volume)
    )


class Provisioner:
    """Makes and removes volumes of one node below one folder."""

    def __init__(self, api: Cluster, volumes: Path, node: str) -> None:
        self._api = api
        self._volumes = volumes
        self._node = node
        self._refused: set[str] = set()

    def reconcile(self) -> None:
        """One pass over all claims and volumes. Raises OpsError or OSError; the next pass tries again."""
        everything = list(self._api.items(_CLAIMS))
        claims = [claim for claim in everything if wants_volume(claim, self._node)]
        if claims:
            policies = {_metadata(c)["name"]: str(c.get("reclaimPolicy", "Delete")) for c in self._api.items(_CLASSES)}
            for claim in claims:
                self._provide(claim, policies.get(claim["spec"]["storageClassName"], "Delete"))
        for claim in everything:
            self._grow(claim)
        for volume in self._api.items(_VOLUMES):
            if is_to_be_removed(volume):
                self._remove(volume)

    def _grow(self, claim: Object) -> None:
        size = volume_growth.wanted_size(claim)
        if size and _annotations(claim).get(_PROVISIONER) == PROVISIONER_NAME:
            volume_growth.grow(self._api, claim, size)

    def _provide(self, claim: Object, reclaim_policy: str) -> None:
        reason = refusal(claim)
        if reason:
            self._refuse(claim, reason)
            return
        folder = self._volumes / volume_name(claim)
        folder.mkdir(exist_ok=True)
        # A pod without fsGroup writes as whatever user it runs as; the folders above admit nobody but root.
        folder.chmod(0o777)
        # An earlier pass may have made it.
        with suppress(ConflictError):
            self._api.create(_VOLUMES, volume_for(claim, self._node, folder, reclaim_policy))
            print(f"made {folder.name} for {_metadata(claim)['namespace']}/{_metadata(claim)['name']}", flush=True)

    def _remove(self, volume: Object) -> None:
        name = str(_metadata(volume)["name"])
        folder = self._volumes / name
        # Nothing but a folder that this program made may be removed, whatever the volume's spec says.
        if not _VOLUME_NAME.fullmatch(name) or volume["spec"].get("local", {}).get("path") != str(folder):
            return
        if folder.exists():
            shutil.rmtree(folder)
        self._api.delete(f"{_VOLUMES}/{name}")
        print(f"removed {name}", flush=True)

    def _refuse(self, claim: Object, reason: str) -> None:
        metadata = _metadata(claim)
        if metadata["uid"] in self._refused:
            return
        self._refused.add(str(metadata["uid"]))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        reference = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")}
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference},
            "type": "Warning",
            "reason": "ProvisioningFailed",
            "message": reason,
            "source": {"component": PROVISIONER_NAME},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._api.create(f"/api/v1/namespaces/{metadata['namespace']}/events", event)


def run(kubeconfig: Path, volumes: Path, node: str, address: str) -> None:
    """Work for ever; problems are logged and tried again. Beside the volumes, Ingresses get the node's `address`."""
    with kubernetes.connect(control_loop.REQUEST_SECONDS, kubeconfig, "volume-provisioner") as api:
        ingresses = (api, [ingress_status.INGRESSES], lambda: ingress_status.tell_addresses(api, address))
        threading.Thread(target=control_loop.run, args=ingresses, daemon=True).start()
        control_loop.run(api, [_CLAIMS, _VOLUMES], Provisioner(api, volumes, node).reconcile)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--volumes", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--address", required=True, help="the node's, for Ingresses")
    arguments = parser.parse_args()
    run(arguments.kubeconfig, arguments.volumes, arguments.node, arguments.address)
    return 0


if __name__ == "__main__":
    sys.exit(main())
