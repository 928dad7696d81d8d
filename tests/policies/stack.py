"""A good stack as plain data: every rule finds something in it, and nothing to complain about.

Tests change one thing in a copy and see exactly one rule speak.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from policies.model import Resource
from policies.plain import to_plain
from runbook import schedules, services
from runbook.services import ServiceSpec

PROJECT = "urn:pulumi:test::crypto::"
NAMESPACE = "crypto"


@dataclass(frozen=True)
class Declared:
    """A resource as the engine shows it: ``links`` name other resources by their names."""

    type: str
    name: str
    properties: dict[str, Any]
    protect: bool = False
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def urn(self) -> str:
        return f"{PROJECT}{self.type}::{self.name}"

    def plain(self, stack: Stack) -> Resource:
        """As the rules see it."""
        links = {key: tuple(stack[name].urn for name in names) for key, names in self.links.items()}
        properties = to_plain(self.properties)
        assert isinstance(properties, dict)
        return Resource(self.type, self.name, self.urn, properties, self.protect, links)


class Stack(dict[str, Declared]):
    """Resources by name."""

    def resources(self) -> list[Resource]:
        return [declared.plain(self) for declared in self.values()]

    def with_value(self, name: str, path: str, value: object) -> Stack:
        """A copy with ``value`` at ``path`` (keys and list positions, joined by dots) of one resource."""
        properties = copy.deepcopy(self[name].properties)
        place: Any = properties
        *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in way:
            place = place[key] if isinstance(key, int) else place.setdefault(key, {})
        place[last] = value
        return Stack({**self, name: replace(self[name], properties=properties)})

    def without(self, name: str, path: str | None = None) -> Stack:
        """A copy without one resource, or without the value at ``path`` of it."""
        if path is None:
            return Stack({key: declared for key, declared in self.items() if key != name})
        properties = copy.deepcopy(self[name].properties)
        place: Any = properties
        *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in way:
            place = place[key]
        del place[last]
        return Stack({**self, name: replace(self[name], properties=properties)})

    def with_links(self, name: str, **links: tuple[str, ...]) -> Stack:
        """A copy in which properties of one resource were computed from others."""
        return Stack({**self, name: replace(self[name], links=links)})

    def protected(self, name: str) -> Stack:
        """A copy in which one resource is protected."""
        return Stack({**self, name: replace(self[name], protect=True)})


def container(name: str, memory: tuple[str, str]) -> dict[str, Any]:
    request, limit = memory
    return {
        "name": name,
        "image": f"localhost/crypto/{name}:1a2b3c",
        "resources": {"requests": {"cpu": "250m", "memory": request}, "limits": {"memory": limit}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "env": [{"name": "DATABASE_PASSWORD_FILE", "value": "/etc/secrets/password"}],
    }


def probed(given: dict[str, Any]) -> dict[str, Any]:
    probes = {
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}},
        "livenessProbe": {"tcpSocket": {"port": 8000}},
    }
    return {**given, **probes}


def pod(app: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"securityContext": security, "containers": list(containers), **spec},
    }


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, **more}


def service_resources(spec: ServiceSpec) -> list[Declared]:
    memory = ("4Gi", "8Gi") if spec is services.SENTIMENT else ("256Mi", "1536Mi")
    selector = {"matchLabels": {"app": spec.name}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": spec.name}
    replicas = {"minReplicas": spec.replicas.normal, "maxReplicas": spec.replicas.peak}
    return [
        Declared(
            "kubernetes:apps/v1:Deployment",
            f"{spec.name}-deployment",
            {
                "metadata": metadata(spec.name, labels={"app": spec.name}),
                "spec": {"selector": selector, "template": pod(spec.name, probed(container(spec.name, memory)))},
            },
        ),
        Declared(
            "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
            f"{spec.name}-hpa",
            {"metadata": metadata(spec.name), "spec": {"scaleTargetRef": target, **replicas}},
        ),
        Declared(
            "kubernetes:policy/v1:PodDisruptionBudget",
            f"{spec.name}-pdb",
            {"metadata": metadata(spec.name), "spec": {"selector": selector, "maxUnavailable": 1}},
        ),
    ]


def redis() -> list[Declared]:
    volumes = [{"name": "config", "configMap": {"name": "redis-config"}}]
    return [
        Declared(
            "kubernetes:core/v1:ConfigMap",
            "redis-config",
            {"metadata": metadata("redis-config"), "data": {"redis.conf": "port 6379\nmaxmemory 600mb\n"}},
        ),
        Declared(
            "kubernetes:apps/v1:StatefulSet",
            "redis",
            {
                "metadata": metadata("redis"),
                "spec": {
                    "replicas": 1,
                    "template": pod("redis", probed(container("redis", ("1Gi", "1Gi"))), volumes=volumes),
                },
            },
        ),
    ]


def backup_job() -> Declared:
    return Declared(
        "kubernetes:batch/v1:CronJob",
        "backup",
        {
            "metadata": metadata(schedules.BACKUP_POSTGRES.name),
            "spec": {
                "schedule": schedules.BACKUP_POSTGRES.cron,
                "timeZone": "Europe/Berlin",
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 3600,
                "jobTemplate": {"spec": {"template": pod("backup", container("ops", ("512Mi", "1Gi")))}},
            },
        },
    )


def bucket() -> list[Declared]:
    ours = {"bucket": "crypto-backups"}
    encryption = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return [
        Declared("aws:s3/bucket:Bucket", "bucket", ours),
        Declared(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "encryption",
            {**ours, "rules": [encryption]},
        ),
        Declared(
            "aws:s3/bucketVersioning:BucketVersioning",
            "versioning",
            {**ours, "versioningConfiguration": {"status": "Enabled"}},
        ),
        Declared(
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            "public-access",
            {**ours, **dict.fromkeys(switches, True)},
        ),
        Declared(
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            "lifecycle",
            {
                **ours,
                "rules": [
                    {"id": "expire", "status": "Enabled", "expiration": {"days": 30}},
                    {"id": "abort", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}},
                ],
            },
        ),
    ]


def good_stack() -> Stack:
    """The good stack, anew."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    declared = [
        Declared("kubernetes:core/v1:Namespace", "crypto", {"metadata": {"name": NAMESPACE, "labels": labels}}),
        *(resource for spec in services.ALL for resource in service_resources(spec)),
        *redis(),
        backup_job(),
        *bucket(),
    ]
    return Stack({resource.name: resource for resource in declared})
