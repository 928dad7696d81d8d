"""What every cluster holds from its start: RBAC of the daemons' identities, the StorageClass, the metrics API, CRDs."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.cluster.daemons import SERVER_SIDE_APPLY
from local.cluster.errors import ClusterError
from local.cluster.provisioner import PROVISIONER_NAME
from local.paths import Instance

STORAGE_CLASS = "standard"
# Names what has been applied, inside the data that it describes: it is gone when the data is.
MARKER = "local-cluster-crds"

Manifest = dict[str, Any]


def base_objects(instance: Instance, ca_pem: bytes) -> list[Manifest]:
    """The objects besides the CRDs."""
    return [
        _storage_class(),
        *_kubelet_access(),
        *_coredns_access(),
        *_network_policies_access(),
        *_provisioner_access(),
        *_metrics_access(),
        *_metrics_api(instance, ca_pem),
    ]


def base_objects_json(instance: Instance, ca_pem: bytes) -> str:
    """The base objects as one file that kubectl can apply."""
    items = base_objects(instance, ca_pem)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n"


def apply_crds(kubectl: Path, kubeconfig: Path, cache: Path, crds: Sequence[Path]) -> bool:
    """Apply CRD files with server-side apply; return False where the cluster holds exactly these already.

    `cache` is a folder of kubectl's own. Raises ClusterError.
    """
    missing = next((path for path in crds if not path.is_file()), None)
    if missing is not None:
        raise ClusterError(f"the CRD file {missing} does not exist: build the toolchain first")
    wanted = content_hash(crds)
    command = [str(kubectl), "--kubeconfig", str(kubeconfig), f"--cache-dir={cache}"]
    held = _kubectl(
        [*command, "-n", "kube-system", "get", "configmap", MARKER, "--ignore-not-found", "-o", "jsonpath={.data.hash}"]
    )
    if not crds or held == wanted:
        return False
    _kubectl([*command, *SERVER_SIDE_APPLY, *(f"--filename={path}" for path in crds)])
    # An object of a kind that is not served yet would be refused.
    _kubectl([*command, "wait", "--for=condition=Established", "crd", "--all", "--timeout=600s"])
    marker = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": MARKER, "namespace": "kube-system"},
        "data": {"hash": wanted},
    }
    _kubectl([*command, *SERVER_SIDE_APPLY, "--filename=-"], json.dumps(marker))
    return True


def content_hash(crds: Sequence[Path]) -> str:
    """Changes whenever the files are to be applied anew."""
    digest = hashlib.sha256()
    for path in crds:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _kubectl(command: list[str], stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        detail = " ".join(done.stderr.strip().splitlines()[-1:])
        raise ClusterError(f"the cluster refused its CRDs: {detail}")
    return done.stdout


def _storage_class() -> Manifest:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER_NAME,
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _cluster_role(name: str, rules: list[Manifest], labels: dict[str, str] | None = None) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels or {}},
        "rules": rules,
    }


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _bind(name: str, role: str, user: str) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def _kubelet_access() -> list[Manifest]:
    return [_bind("local:apiserver-kubelet-client", "system:kubelet-api-admin", "kube-apiserver-kubelet-client")]


def _coredns_access() -> list[Manifest]:
    watch = ["list", "watch"]
    rules = [_rule([""], ["services", "namespaces"], watch), _rule(["discovery.k8s.io"], ["endpointslices"], watch)]
    return [_cluster_role("local:coredns", rules), _bind("local:coredns", "local:coredns", "system:coredns")]


def _network_policies_access() -> list[Manifest]:
    watch, name = ["list", "watch"], "local:network-policies"
    rules = [
        _rule([""], ["pods", "namespaces"], watch),
        _rule(["networking.k8s.io"], ["networkpolicies"], watch),
    ]
    return [_cluster_role(name, rules), _bind(name, name, "system:network-policies")]


def _provisioner_access() -> list[Manifest]:
    watch = ["get", "list", "watch"]
    name = "local:volume-provisioner"
    rules = [
        _rule([""], ["persistentvolumes"], [*watch, "create", "patch", "delete"]),
        _rule([""], ["persistentvolumeclaims"], watch),
        _rule([""], ["persistentvolumeclaims/status"], ["patch"]),
        _rule(["storage.k8s.io"], ["storageclasses"], watch),
        _rule([""], ["events"], ["create"]),
        # The same daemon tells Ingresses their address.
        _rule(["networking.k8s.io"], ["ingresses"], watch),
        _rule(["networking.k8s.io"], ["ingresses/status"], ["patch"]),
    ]
    return [_cluster_role(name, rules), _bind(name, name, "system:volume-provisioner")]


def _metrics_access() -> list[Manifest]:
    user, name = "system:metrics-server", "local:metrics-server"
    rules = [
        _rule([""], ["nodes/metrics"], ["get"]),
        _rule([""], ["pods", "nodes"], ["get", "list", "watch"]),
    ]
    readers = _cluster_role(
        "system:aggregated-metrics-reader",
        [_rule(["metrics.k8s.io"], ["pods", "nodes"], ["get", "list", "watch"])],
        {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("view", "edit", "admin")},
    )
    authentication_reader: Manifest = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": "kube-system"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "extension-apiserver-authentication-reader",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    delegator = _bind(f"{name}:auth-delegator", "system:auth-delegator", user)
    return [_cluster_role(name, rules), _bind(name, name, user), readers, authentication_reader, delegator]


def _metrics_api(instance: Instance, ca_pem: bytes) -> list[Manifest]:
    name, namespace, port = "metrics-server", "kube-system", 4443
    # The Service has no selector: metrics-server runs beside the API server, not in a pod.
    service: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": port}]},
    }
    endpoints: Manifest = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "kubernetes.io/service-name": name,
                "endpointslice.kubernetes.io/managed-by": "crypto-operations-cluster",
            },
        },
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [str(instance.node_address)], "conditions": {"ready": True}}],
    }
    api_service: Manifest = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": name, "namespace": namespace, "port": 443},
            "caBundle": base64.b64encode(ca_pem).decode(),
        },
    }
    return [service, endpoints, api_service]
