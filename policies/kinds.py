"""Kinds of resources: Pulumi type tokens without what changes between versions."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

DEPLOYMENT: Final = "apps/Deployment"
STATEFUL_SET: Final = "apps/StatefulSet"
DAEMON_SET: Final = "apps/DaemonSet"
REPLICA_SET: Final = "apps/ReplicaSet"
JOB: Final = "batch/Job"
CRON_JOB: Final = "batch/CronJob"
POD: Final = "core/Pod"
POD_TEMPLATE: Final = "core/PodTemplate"
REPLICATION_CONTROLLER: Final = "core/ReplicationController"
CONFIG_MAP: Final = "core/ConfigMap"
NAMESPACE: Final = "core/Namespace"
VOLUME: Final = "core/PersistentVolume"
SECRET: Final = "core/Secret"  # noqa: S105 (a kind, and none of them)
SERVICE: Final = "core/Service"
SERVICE_ACCOUNT: Final = "core/ServiceAccount"
QUOTA: Final = "core/ResourceQuota"
LIMIT_RANGE: Final = "core/LimitRange"
PRIORITY_CLASS: Final = "scheduling.k8s.io/PriorityClass"
INGRESS: Final = "networking.k8s.io/Ingress"
NETWORK_POLICY: Final = "networking.k8s.io/NetworkPolicy"
ROLE: Final = "rbac.authorization.k8s.io/Role"
CLUSTER_ROLE: Final = "rbac.authorization.k8s.io/ClusterRole"
ROLE_BINDING: Final = "rbac.authorization.k8s.io/RoleBinding"
CLUSTER_ROLE_BINDING: Final = "rbac.authorization.k8s.io/ClusterRoleBinding"
ADMISSION_POLICY: Final = "admissionregistration.k8s.io/ValidatingAdmissionPolicy"
ADMISSION_BINDING: Final = "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding"
CERTIFICATE: Final = "cert-manager.io/Certificate"
ISSUER: Final = "cert-manager.io/Issuer"
CLUSTER_ISSUER: Final = "cert-manager.io/ClusterIssuer"
PROMETHEUS_RULE: Final = "monitoring.coreos.com/PrometheusRule"
ALERTMANAGER_CONFIG: Final = "monitoring.coreos.com/AlertmanagerConfig"
SERVICE_MONITOR: Final = "monitoring.coreos.com/ServiceMonitor"
HPA: Final = "autoscaling/HorizontalPodAutoscaler"
PDB: Final = "policy/PodDisruptionBudget"
BUCKET: Final = "aws:s3/Bucket"
BUCKET_ENCRYPTION: Final = "aws:s3/BucketServerSideEncryptionConfiguration"
BUCKET_VERSIONING: Final = "aws:s3/BucketVersioning"
BUCKET_PUBLIC_ACCESS: Final = "aws:s3/BucketPublicAccessBlock"
BUCKET_LIFECYCLE: Final = "aws:s3/BucketLifecycleConfiguration"
BUCKET_POLICY: Final = "aws:s3/BucketPolicy"
BUCKET_LOCK: Final = "aws:s3/BucketObjectLockConfiguration"
IAM_POLICY: Final = "aws:iam/Policy"
IAM_ROLE: Final = "aws:iam/Role"
IAM_ROLE_POLICY: Final = "aws:iam/RolePolicy"
KMS_KEY: Final = "aws:kms/Key"

# What has a number of pods, and a subresource by which an autoscaler sets it.
SCALED: Final = frozenset({DEPLOYMENT, STATEFUL_SET, REPLICA_SET, REPLICATION_CONTROLLER})
LONG_RUNNING: Final = SCALED | {DAEMON_SET}
WORKLOADS: Final = LONG_RUNNING | {JOB, CRON_JOB, POD}
ROLES: Final = frozenset({ROLE, CLUSTER_ROLE})
BINDINGS: Final = frozenset({ROLE_BINDING, CLUSTER_ROLE_BINDING})

_SECOND_NAMES: Final = {
    "extensions/Deployment": DEPLOYMENT,
    "extensions/DaemonSet": DAEMON_SET,
    "extensions/ReplicaSet": REPLICA_SET,
    "extensions/Ingress": "networking.k8s.io/Ingress",
    "extensions/NetworkPolicy": "networking.k8s.io/NetworkPolicy",
}
# The SDK has a second type of each kind, which changes an object that somebody else made.
_PATCH: Final = "Patch"
# Components of the SDK: what they render is registered as resources of its own.
_RENDERERS: Final = frozenset({"yaml", "helm.sh", "kustomize"})
_CLUSTER_SCOPED: Final = frozenset(
    {
        "core/Namespace",
        "core/Node",
        "core/PersistentVolume",
        "core/ComponentStatus",
        "rbac.authorization.k8s.io/ClusterRole",
        "rbac.authorization.k8s.io/ClusterRoleBinding",
        "apiextensions.k8s.io/CustomResourceDefinition",
        "apiregistration.k8s.io/APIService",
        "storage.k8s.io/StorageClass",
        "storage.k8s.io/CSIDriver",
        "storage.k8s.io/CSINode",
        "storage.k8s.io/VolumeAttachment",
        "storage.k8s.io/VolumeAttributesClass",
        "scheduling.k8s.io/PriorityClass",
        "networking.k8s.io/IngressClass",
        "networking.k8s.io/IPAddress",
        "networking.k8s.io/ServiceCIDR",
        "node.k8s.io/RuntimeClass",
        "admissionregistration.k8s.io/MutatingWebhookConfiguration",
        "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io/ValidatingAdmissionPolicy",
        "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
        "admissionregistration.k8s.io/MutatingAdmissionPolicy",
        "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding",
        "certificates.k8s.io/CertificateSigningRequest",
        "certificates.k8s.io/ClusterTrustBundle",
        "flowcontrol.apiserver.k8s.io/FlowSchema",
        "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
        "resource.k8s.io/DeviceClass",
        "resource.k8s.io/ResourceSlice",
        "cert-manager.io/ClusterIssuer",
    }
)


@lru_cache(maxsize=512)
def kind_of(type_token: str) -> str:
    """``kubernetes:apps/v1:Deployment`` -> ``apps/Deployment``; ``aws:s3/bucketV2:BucketV2`` -> ``aws:s3/Bucket``.

    An older API version of a kind, or a second name of it, must not slip past a rule. Other types stay as they are.
    """
    parts = type_token.split(":")
    if len(parts) != 3:
        return type_token
    package, module, name = parts
    group = module.partition("/")[0]
    if package == "kubernetes":
        name = name.removesuffix(_PATCH) or name
        return _SECOND_NAMES.get(f"{group}/{name}", f"{group}/{name}")
    if package == "aws":
        return f"aws:{group}/{name.removesuffix('V2')}"
    return type_token


def namespaced(kind: str) -> bool:
    """Objects of that kind live in a namespace. A kind that nobody knows is taken to: it then has to say which."""
    group, slash, _name = kind.partition("/")
    if not slash or ":" in group or group in _RENDERERS:
        return False
    return kind not in _CLUSTER_SCOPED


def is_patch(type_token: str) -> bool:
    """Whether a resource of the type changes an object that somebody else made, by what it states alone."""
    name = type_token.rpartition(":")[2]
    return type_token.startswith("kubernetes:") and name.endswith(_PATCH) and name != _PATCH


def one_of(*wanted: str) -> Callable[[str], bool]:
    """A filter for these kinds."""
    return frozenset(wanted).__contains__
