"""The objects of a resource backup: read back, made fit to be applied, and in the order of a restore."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from scripts.backup.manifest import ResourcesManifest, differences, shortened
from scripts.backup.transfer import Stored
from scripts.clients.discovery import Kind

# Who needs whom: an object comes after the kinds before its own. What is not named is a custom resource or an extra and
# comes after what it may point to; quotas come last, since they would count what is not yet there against it.
_FIRST: Final = (
    "LimitRange", "ServiceAccount", "Role", "RoleBinding", "Secret", "ConfigMap", "PersistentVolumeClaim",
    "NetworkPolicy", "Issuer", "Certificate", "Service", "StatefulSet", "Deployment", "DaemonSet", "CronJob",
    "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget",
)  # fmt: skip
_LAST: Final = ("ResourceQuota",)
# Runs and observations: nobody wants an old one back, and a controller makes the ones that are needed.
ONE_OFF: Final = frozenset(
    {"Pod", "Job", "Event", "Lease", "Endpoints", "EndpointSlice", "ControllerRevision", "CertificateRequest"}
)
# The marks of the controller's own; those of Services without a selector are a person's.
_OF_CONTROLLER: Final = ("endpoints.kubernetes.io/managed-by", "endpoints.kubernetes.io/last-change-trigger-time")
_OF_ACCOUNT: Final = "kubernetes.io/service-account-token"
_BINDING: Final = ("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller")


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved object; ``managed_by`` names the controller that makes it anew."""

    plural: str
    managed_by: str | None
    content: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its kind as manifests count it; a bare "Secret" before a number would be taken for one and masked."""
        return f"{self.content['kind']}.{self.content['apiVersion']}"

    @property
    def label(self) -> str:
        return f"{self.content['kind']}/{self.content['metadata']['name']}"

    @property
    def path(self) -> str:
        group, _, version = self.content["apiVersion"].rpartition("/")
        metadata = self.content["metadata"]
        kind = Kind(group, version, self.plural, self.content["kind"])
        return f"{kind.path(metadata['namespace'])}/{quote(metadata['name'], safe='')}"

    @property
    def skipped(self) -> str | None:
        """Why a restore leaves it alone; None: it is applied."""
        if self.made_anew is None and self.content["kind"] in ONE_OFF and not self._points_by_hand:
            return "a run or an observation"
        return self.made_anew

    @property
    def _points_by_hand(self) -> bool:
        """Whether it says where a Service without a selector leads; slices of the controller have an owner."""
        if self.content["kind"] != "Endpoints":
            return self.content["kind"] == "EndpointSlice"
        metadata: dict[str, Any] = self.content["metadata"]
        marks: tuple[dict[str, str], ...] = (metadata.get("labels") or {}, metadata.get("annotations") or {})
        return not any(mark in found for found in marks for mark in _OF_CONTROLLER)

    @property
    def made_anew(self) -> str | None:
        """Who in a cluster makes it without being asked; None: nothing does."""
        if self.managed_by is not None:
            return "a controller makes it anew"
        if self.label == "ConfigMap/kube-root-ca.crt":
            return "the cluster publishes its own"
        return None


def read(stored: Stored, manifest: ResourcesManifest) -> list[Saved]:
    """Every object of a backup, in the order of a restore.

    Raises:
        CheckFailedError: the object in the bucket is damaged, or its objects are not those of the manifest.
    """
    found: list[Saved] = []
    counts: Counter[str] = Counter()
    for line in _lines(stored.content()):
        try:
            plain = json.loads(line)
            saved = Saved(plain["plural"], plain["managedBy"], plain["object"])
            counts[saved.kind] += 1
            _ = saved.path
        except (ValueError, KeyError, TypeError):
            raise stored.damaged("a line of it is no object") from None
        found.append(saved)
    if wrong := differences(manifest.counts, counts, "no objects"):
        raise stored.damaged(shortened(wrong, "kinds"))
    return sorted(found, key=_rank)


def applicable(saved: Saved) -> dict[str, Any]:
    """The object as it can be applied to a cluster that never had it."""
    content = copy.deepcopy(saved.content)
    metadata, spec = content["metadata"], content.get("spec", {})
    annotations: dict[str, Any] = metadata.get("annotations") or {}
    # Owners have other identities there.
    metadata.pop("ownerReferences", None)
    match content["kind"]:
        case "Service" if spec.get("clusterIP") != "None":
            for name in ("clusterIP", "clusterIPs"):
                spec.pop(name, None)
        case "Secret" if content.get("type") == _OF_ACCOUNT:
            # The cluster fills it with a token of its own for the account that it names.
            content.pop("data", None)
            annotations.pop("kubernetes.io/service-account.uid", None)
        case "PersistentVolumeClaim":
            # A claim that names a volume which is gone is lost for ever.
            spec.pop("volumeName", None)
            for name in _BINDING:
                annotations.pop(name, None)
        case _:
            pass
    return content


def _rank(saved: Saved) -> tuple[int, str, str]:
    kind = saved.content["kind"]
    place = _FIRST.index(kind) if kind in _FIRST else len(_FIRST) + (kind in _LAST)
    return place, kind, saved.content["metadata"]["name"]


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
