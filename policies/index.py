"""The stack's resources, joined: what cross-resource rules look things up in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from policies import kinds
from policies.model import Resource
from policies.plain import UNKNOWN, Node
from runbook import services

_NAME_LABELS: Final = ("app", "app.kubernetes.io/name")


class StackIndex:
    """All resources by kind, each kind in the order of their URNs. Built once for all rules; never changed after."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        by_kind: defaultdict[str, list[Resource]] = defaultdict(list)
        for resource in sorted(resources, key=lambda resource: resource.urn):
            by_kind[resource.kind].append(resource)
        self._by_kind = {kind: tuple(found) for kind, found in by_kind.items()}

    def of(self, kind: str) -> tuple[Resource, ...]:
        """The resources of a kind of ``policies.kinds``."""
        return self._by_kind.get(kind, ())

    def service_deployments(self) -> tuple[tuple[Resource, services.ServiceSpec], ...]:
        """The Deployments of the runbook's services."""
        pairs = ((deployment, service_of(deployment)) for deployment in self.of(kinds.DEPLOYMENT))
        return tuple((deployment, spec) for deployment, spec in pairs if spec is not None)


def service_of(resource: Resource) -> services.ServiceSpec | None:
    """The runbook's service that a Deployment is, by its name or, under a generated one, by its label."""
    metadata = resource.at("metadata")
    names = [metadata.at("name").text, *(metadata.at("labels", label).text for label in _NAME_LABELS)]
    return next((services.BY_NAME[name] for name in names if name in services.BY_NAME), None)


def refers(source: Resource, node: Node, target: Resource, identity: Node) -> bool | None:
    """Whether the reference at ``node`` of ``source`` means ``target``, which is known as the value at ``identity``.

    Where a value is not known yet, the engine's record of what it was computed from decides. There is one record a
    property of the resource. It is also proof where the reference is such a property itself (``bucket``), but not deep
    inside of one (``spec``), which may have been computed from many. None: nothing can tell.
    """
    key, _, below = node.path.partition(".")
    linked = target.urn in source.links.get(key, ())
    if linked and not below:
        return True
    if node.text is not None and identity.text is not None:
        return node.text == identity.text
    if linked:
        return True
    return None if UNKNOWN in (node.value, identity.value) else False


def same_namespace(one: Resource, other: Resource) -> bool:
    """Two objects can be in the same namespace; an unreadable namespace is no reason to part them."""
    mine, theirs = (resource.at("metadata", "namespace").text for resource in (one, other))
    return mine is None or theirs is None or mine == theirs
