"""All objects of the platform."""

from __future__ import annotations

from collections.abc import Mapping

from local.paths import Instance
from local.platform import certificates, exporters, ingress, monitoring, notifications, prometheus_operator
from local.platform.names import MONITORING
from local.platform.objects import Manifest, namespace

_FIRST = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding")


def manifests(instance: Instance, images: Mapping[str, str]) -> list[Manifest]:
    """In an order in which they can be applied; ``images`` has a reference for each name in `names.IMAGES`.

    Accounts and what they may do come first: a controller that starts before its rights would end, and start late.
    """
    platform = images["platform"]
    everything = [
        *certificates.manifests(platform),
        namespace(MONITORING, "restricted"),
        *prometheus_operator.manifests(platform),
        *monitoring.manifests(instance, images),
        *exporters.manifests(platform, images["node-exporter"]),
        *notifications.manifests(instance, images["sample-service"]),
        *ingress.manifests(platform),
    ]
    return sorted(everything, key=_rank)


def _rank(item: Manifest) -> int:
    kind = str(item["kind"])
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
