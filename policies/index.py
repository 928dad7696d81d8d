"""The stack's resources, joined: what cross-resource rules look things up in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import Final, TypeVar, cast

from policies import kinds, pods
from policies.model import Resource
from policies.plain import UNKNOWN, Node
from policies.selection import Labelled
from runbook import services

_NAME_LABELS: Final = ("app", "app.kubernetes.io/name")
_T = TypeVar("_T")


class StackIndex:
    """All resources by kind, each kind in the order of their URNs. Built once for all rules.

    What one rule joins, another may ask for again: ``once`` keeps it. Lookups go by name or label and never over all
    pairs, so that a stack of thousands of resources costs no more a resource than a small one.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        by_kind: defaultdict[str, list[Resource]] = defaultdict(list)
        for resource in sorted(resources, key=lambda resource: resource.urn):
            by_kind[resource.kind].append(resource)
        self._by_kind = {kind: tuple(found) for kind, found in by_kind.items()}
        self._kept: dict[Hashable, object] = {}

    def of(self, *wanted: str) -> tuple[Resource, ...]:
        """The resources of some kinds of ``policies.kinds``."""
        return tuple(resource for kind in wanted for resource in self._by_kind.get(kind, ()))

    @property
    def all(self) -> Iterable[Resource]:
        """Every resource, kind by kind."""
        return (resource for found in self._by_kind.values() for resource in found)

    def once(self, key: Hashable, build: Callable[[], _T]) -> _T:
        """What ``build`` makes, made for the first who asks by that key."""
        if key not in self._kept:
            self._kept[key] = build()
        return cast("_T", self._kept[key])

    def service_deployments(self) -> tuple[tuple[Resource, services.ServiceSpec], ...]:
        """The Deployments of the runbook's services."""
        own = (deployment for deployment in self.of(kinds.DEPLOYMENT) if not deployment.partial)
        pairs = ((deployment, service_of(deployment)) for deployment in own)
        return tuple((deployment, spec) for deployment, spec in pairs if spec is not None)

    def named(self, kind: str, name: str | None, namespace: str | None) -> bool | None:
        """Whether an object of that kind, name and namespace is declared; None while a name is not yet known."""
        if name is None:
            return None
        known, unsure = self.once(f"names of {kind}", lambda: self._names(kind))
        spaces = known.get(name)
        if spaces is not None and (namespace is None or namespace in spaces or None in spaces):
            return True
        return None if unsure else False

    def _names(self, kind: str) -> tuple[dict[str, set[str | None]], bool]:
        found: defaultdict[str, set[str | None]] = defaultdict(set)
        unsure = False
        for resource in self.of(kind):
            name = resource.object_name
            if name is None:
                unsure = unsure or resource.at("metadata", "name").hidden
            else:
                found[name].add(resource.namespace)
        return dict(found), unsure

    def attached(self, kind: str, target: Resource) -> list[Resource]:
        """The resources of a kind whose ``bucket`` is, or may be, the target: what ``refers`` has to look at."""
        named, linked, hidden = self.once(f"attached {kind}", lambda: self._attachments(kind))
        identity = target.at("bucket")
        by_name = named.get(identity.text, []) if identity.text is not None else list(self.of(kind))
        found = [*by_name, *linked.get(target.urn, ()), *hidden]
        return list({resource.urn: resource for resource in found}.values())

    def _attachments(
        self, kind: str
    ) -> tuple[dict[str | None, list[Resource]], dict[str, list[Resource]], list[Resource]]:
        named: defaultdict[str | None, list[Resource]] = defaultdict(list)
        linked: defaultdict[str, list[Resource]] = defaultdict(list)
        hidden: list[Resource] = []
        for resource in self.of(kind):
            reference = resource.at("bucket")
            (hidden if reference.hidden else named[reference.text]).append(resource)
            for urn in resource.links.get("bucket", ()):
                linked[urn].append(resource)
        return dict(named), dict(linked), hidden

    @cached_property
    def pods(self) -> Labelled:
        """The pods of every workload, by their labels."""
        return Labelled((workload, pods.template(workload).at("metadata", "labels")) for workload in self.workloads)

    @cached_property
    def services(self) -> Labelled:
        """The Services by their own labels."""
        return Labelled((service, service.at("metadata", "labels")) for service in self.of(kinds.SERVICE))

    @cached_property
    def workloads(self) -> tuple[Resource, ...]:
        """Everything that runs pods, and that the stack itself declares."""
        return tuple(each for kind in sorted(kinds.WORKLOADS) for each in self.of(kind) if not each.partial)

    @cached_property
    def systems(self) -> tuple[Resource, ...]:
        """The namespaces of the stack, owned or adopted: where a rule says what is missing altogether."""
        return self.of(kinds.NAMESPACE)


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
    if not source.links:
        linked, below = False, ""
    else:
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
    mine, theirs = one.namespace, other.namespace
    return mine is None or theirs is None or mine == theirs
