"""Label selectors, and what they select: looked up by label and not by comparing everything with everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from policies.model import Resource
from policies.plain import Node

# Who is selected, and whether for sure (True) or only once something is known (None).
Selected: TypeAlias = tuple[Resource, bool | None]

_IN: Final = "In"
_NOT_IN: Final = "NotIn"
_EXISTS: Final = "Exists"
_ABSENT: Final = "DoesNotExist"
# The API server sets it on every namespace: that it exists says nothing.
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"


class Requirement(NamedTuple):
    """One condition of a selector on one label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def fits(self, label: Node) -> bool | None:
        """Whether the label at ``label`` meets it; None while its value is not yet known."""
        if self.operator == _EXISTS:
            return label.present
        if self.operator == _ABSENT:
            return not label.present
        if label.hidden:
            return None
        return (label.text in self.values) == (self.operator == _IN)


@dataclass(frozen=True, slots=True)
class Selector:
    """The conditions of a selector, all of which must hold: without any it selects everything.

    ``unsure``: there is one that is not yet known.
    """

    requirements: tuple[Requirement, ...] = ()
    unsure: bool = False

    def fits(self, labels: Node) -> bool | None:
        """Whether it selects what has the labels at ``labels``; None while that is not yet known."""
        if labels.hidden:
            return None if self.requirements or self.unsure else True
        verdicts = {each.fits(labels.at(each.key)) for each in self.requirements}
        if False in verdicts:
            return False
        return None if self.unsure or None in verdicts else True

    @property
    def names(self) -> bool | None:
        """Whether it says what it selects, and not only what it leaves out; None while that is not yet known."""
        if any(each.operator == _IN or _says(each) for each in self.requirements):
            return True
        return None if self.unsure else False


def _says(requirement: Requirement) -> bool:
    return requirement.operator == _EXISTS and requirement.key != _NAMESPACE_NAME


# As a value that no label has: what the API server refuses, or what is not there, selects nothing.
NOTHING: Final = Selector((Requirement("", _IN),))


def label_selector(node: Node) -> Selector:
    """A LabelSelector, as of a NetworkPolicy: an empty one selects everything, one that is not there nothing."""
    if not node.present:
        return NOTHING
    parts = [*_pairs(node.at("matchLabels")), *map(_expression, node.at("matchExpressions").elements())]
    return _selector(parts, unsure=node.hidden)


def equal_selector(node: Node) -> Selector:
    """The selector of a Service, a map of labels: an empty one selects nothing."""
    return _selector(_pairs(node), unsure=False) if node.hidden or node.entries() else NOTHING


def _selector(parts: Iterable[tuple[Requirement | None, bool]], *, unsure: bool) -> Selector:
    known = [*parts]
    found = sorted({requirement for requirement, _ in known if requirement is not None})
    return Selector(tuple(found), unsure or any(vague for _, vague in known))


def _pairs(labels: Node) -> list[tuple[Requirement | None, bool]]:
    """The conditions of a map of labels, each with whether a part of it is not yet known."""
    if labels.hidden:
        return [(None, True)]
    return [
        (Requirement(key, _EXISTS), True) if value.hidden else (Requirement(key, _IN, _texts([value])), False)
        for key, value in labels.entries()
    ]


def _expression(node: Node) -> tuple[Requirement | None, bool]:
    key, operator, values = node.at("key"), node.at("operator"), node.at("values")
    if key.hidden or operator.hidden:
        return None, True
    name, kind = key.text or "", operator.text
    if kind in (_EXISTS, _ABSENT):
        return Requirement(name, kind), False
    listed = values.elements()
    if any(value.hidden for value in listed):
        # Whatever the values are, the label must be there, or may be missing.
        return (Requirement(name, _EXISTS) if kind == _IN else None), True
    if kind == _NOT_IN:
        return Requirement(name, _NOT_IN, _texts(listed)), False
    # Another operator is refused by the API server.
    return Requirement(name, _IN, _texts(listed) if kind == _IN else ()), False


def _texts(nodes: Iterable[Node]) -> tuple[str, ...]:
    return tuple(sorted({node.text for node in nodes if node.text is not None}))


@dataclass(frozen=True, slots=True)
class Tally:
    """How many are selected, or select: for sure, and perhaps."""

    sure: int = 0
    perhaps: int = 0

    @property
    def any(self) -> bool | None:
        """Whether there is one: for sure, perhaps (None), or not at all."""
        return True if self.sure else (None if self.perhaps else False)


def tally(verdicts: Iterable[bool | None]) -> Tally:
    """Counts verdicts; False counts for nothing."""
    counted = Counter(verdicts)
    return Tally(counted[True], counted[None])


class Selection:
    """What a selector selects. Equal selectors share one, so whatever follows from it is worked out once for all."""

    def __init__(self, members: Iterable[Selected]) -> None:
        self.members = tuple(members)

    @cached_property
    def tally(self) -> Tally:
        """How many it selects."""
        return tally(verdict for _, verdict in self.members)


class Labelled:
    """Resources by their labels, or by those of their pods."""

    def __init__(self, pairs: Iterable[tuple[Resource, Node]]) -> None:
        self._all = tuple(pairs)
        self._unsure: list[tuple[Resource, Node]] = []
        self._by_pair: defaultdict[tuple[str, str], list[tuple[Resource, Node]]] = defaultdict(list)
        # Apart by namespace: copies of one system in a hundred namespaces have the same labels.
        self._by_space: defaultdict[tuple[str | None, str, str], list[tuple[Resource, Node]]] = defaultdict(list)
        self._in_space: defaultdict[str | None, list[tuple[Resource, Node]]] = defaultdict(list)
        self._selections: dict[tuple[str | None, Selector], Selection] = {}
        for resource, labels in self._all:
            self._add(resource, labels)

    def _add(self, resource: Resource, labels: Node) -> None:
        self._in_space[resource.namespace].append((resource, labels))
        values = labels.entries()
        if labels.hidden or any(value.hidden for _, value in values):
            self._unsure.append((resource, labels))
            return
        for key, value in values:
            if value.text is not None:
                self._by_pair[key, value.text].append((resource, labels))
                self._by_space[resource.namespace, key, value.text].append((resource, labels))

    def selected(self, selector: Selector, namespace: str | None) -> Selection:
        """What a selector selects in a namespace (None: not known yet, so in any)."""
        kept = self._selections.get((namespace, selector))
        if kept is None:
            kept = self._selections[namespace, selector] = self._select(selector, namespace)
        return kept

    def _select(self, selector: Selector, namespace: str | None) -> Selection:
        found = (
            (resource, selector.fits(labels))
            for resource, labels in self._candidates(selector, namespace)
            if namespace is None or resource.namespace in (None, namespace)
        )
        return Selection((resource, verdict) for resource, verdict in found if verdict is not False)

    def _candidates(self, selector: Selector, namespace: str | None) -> Iterable[tuple[Resource, Node]]:
        """Whoever has the selector's rarest label, and whose labels are not yet known."""
        listed = [
            [found for value in each.values for found in self._having((each.key, value), namespace)]
            for each in selector.requirements
            if each.operator == _IN
        ]
        if listed:
            return [*min(listed, key=len), *self._unsure]
        if namespace is None:
            return self._all
        return [*self._in_space.get(namespace, ()), *self._in_space.get(None, ())]

    def _having(self, pair: tuple[str, str], namespace: str | None) -> list[tuple[Resource, Node]]:
        if namespace is None:
            return self._by_pair.get(pair, [])
        here, anywhere = (self._by_space.get((space, *pair), []) for space in (namespace, None))
        return [*here, *anywhere] if anywhere else here


class Owned:
    """Selectors of one kind, and the other way round: how many of them select a workload."""

    def __init__(self, owners: Iterable[Resource], read: Callable[[Resource], Selector], pods: Labelled) -> None:
        self._by_owner = {owner.urn: pods.selected(read(owner), owner.namespace) for owner in owners}
        sure: Counter[str] = Counter()
        perhaps: Counter[str] = Counter()
        for selection, owning in Counter(self._by_owner.values()).items():
            for workload, verdict in selection.members:
                (sure if verdict else perhaps)[workload.urn] += owning
        self._sure, self._perhaps = sure, perhaps

    def of(self, owner: Resource) -> Selection:
        """The workloads that it selects."""
        return self._by_owner[owner.urn]

    def by(self, workload: Resource) -> Tally:
        """How many select the workload."""
        return Tally(self._sure[workload.urn], self._perhaps[workload.urn])
