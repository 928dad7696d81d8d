"""Which kinds of objects an API server has in a namespace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from scripts.clients.kubernetes import Cluster
from scripts.exits import OpsError

# What can be listed and not created is an observation (metrics, say) and no object.
_NEEDED: Final = frozenset({"create", "list"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind by its group (empty: the core), version, ``plural`` in paths and name."""

    group: str
    version: str
    plural: str
    name: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def label(self) -> str:
        """As it is named in a Role: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str) -> str:
        """Where its objects are listed."""
        root = "/apis" if self.group else "/api"
        return f"{root}/{self.api_version}/namespaces/{namespace}/{self.plural}"


def kinds(cluster: Cluster, skipped: Callable[[str, OpsError], None]) -> list[Kind]:
    """Every kind that lives in a namespace and can be listed and created, each in its preferred version.

    ``skipped`` is told of a group version that does not answer, and may raise: an extension's server can be down.
    """
    found: dict[tuple[str, str], Kind] = {}
    groups: list[Any] = cluster.get("/apis")["groups"]
    for group, version, path in [("", "v1", "/api/v1"), *(entry for told in groups for entry in _versions(told))]:
        try:
            listed: Any = cluster.get(path)
        except OpsError as error:
            if not group:
                raise
            skipped(f"{group}/{version}", error)
            continue
        for resource in listed["resources"]:
            if resource["namespaced"] and "/" not in resource["name"] and set(resource["verbs"]) >= _NEEDED:
                kind = Kind(group, version, resource["name"], resource["kind"])
                found.setdefault((group, kind.plural), kind)
    return list(found.values())


def _versions(group: Any) -> list[tuple[str, str, str]]:
    """Group, version and path of every version of a group, the preferred one first."""
    preferred = group["preferredVersion"]["version"]
    versions = [preferred, *(told["version"] for told in group["versions"] if told["version"] != preferred)]
    return [(group["name"], version, f"/apis/{group['name']}/{version}") for version in versions]
