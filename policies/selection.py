"""Selectors and what they select, looked up by label and not by comparing everything with everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from policies.model import Resource
from policies.plain import Node

# Who is selected, and whether for sure (True) or only once something is known (None).
Selected: TypeAlias = tuple[Resource, bool | None]


def selects(selector: Node, labels: Node) -> bool | None:
    """Whether ``matchLabels`` at ``selector`` fit the labels; None while a value on either side is not yet known.

    An empty selector fits nothing here: whoever means everything by it says so.
    """
    if selector.hidden or labels.hidden:
        return None
    pairs = [(wanted, labels.at(key)) for key, wanted in selector.entries()]
    if any(not (wanted.hidden or found.hidden) and wanted.value != found.value for wanted, found in pairs):
        return False
    return None if any(wanted.hidden or found.hidden for wanted, found in pairs) else bool(pairs)


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
        self._selections: dict[tuple[str | None, frozenset[tuple[str, str]]], Selection] = {}
        for resource, labels in self._all:
            self._add(resource, labels)

    def _add(self, resource: Resource, labels: Node) -> None:
        values = labels.entries()
        if labels.hidden or any(value.hidden for _, value in values):
            self._unsure.append((resource, labels))
            return
        for key, value in values:
            if value.text is not None:
                self._by_pair[key, value.text].append((resource, labels))
                self._by_space[resource.namespace, key, value.text].append((resource, labels))

    def selected(self, selector: Node, namespace: str | None) -> Selection:
        """What ``matchLabels`` at ``selector`` select in a namespace (None: not known yet, so in any)."""
        entries = selector.entries()
        pairs = frozenset((key, node.text) for key, node in entries if node.text is not None)
        if len(pairs) < len(entries) or not pairs:
            return self._select(selector, namespace)
        kept = self._selections.get((namespace, pairs))
        if kept is None:
            kept = self._selections[namespace, pairs] = self._select(selector, namespace)
        return kept

    def _select(self, selector: Node, namespace: str | None) -> Selection:
        found = (
            (resource, selects(selector, labels))
            for resource, labels in self._candidates(selector, namespace)
            if namespace is None or resource.namespace in (None, namespace)
        )
        return Selection((resource, verdict) for resource, verdict in found if verdict is not False)

    def _candidates(self, selector: Node, namespace: str | None) -> Iterable[tuple[Resource, Node]]:
        """Whoever has the selector's rarest label, and whose labels are not yet known."""
        pairs = [(key, node.text) for key, node in selector.entries() if node.text is not None]
        if not pairs:
            return self._all if selector.hidden or selector.entries() else ()
        return [*min((self._having(pair, namespace) for pair in pairs), key=len), *self._unsure]

    def _having(self, pair: tuple[str, str], namespace: str | None) -> list[tuple[Resource, Node]]:
        if namespace is None:
            return self._by_pair.get(pair, [])
        here, anywhere = (self._by_space.get((space, *pair), []) for space in (namespace, None))
        return [*here, *anywhere] if anywhere else here


class Owned:
    """Selectors of one kind, and the other way round: how many of them select a workload."""

    def __init__(self, owners: Iterable[Resource], place: tuple[str, ...], pods: Labelled) -> None:
        self._by_owner = {owner.urn: pods.selected(owner.at(*place), owner.namespace) for owner in owners}
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
