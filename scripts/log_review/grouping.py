"""Groups errors by pattern in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from scripts import redact
from scripts.log_review.masking import pattern
from scripts.log_review.parsing import Event, Level

MOST_GROUPS: Final = 2000
_EXAMPLE: Final = 400
_MOST_PODS: Final = 20


@dataclass(slots=True)
class Group:
    """All occurrences of a pattern in one service. ``key`` is the same in every review."""

    key: str
    service: str
    level: Level
    pattern: str
    example: str
    count: int = 0
    first: str = ""
    last: str = ""
    pods: set[str] = field(default_factory=set[str])


class Groups:
    """The groups found so far; beyond ``most`` patterns new ones are only counted."""

    def __init__(self, most: int = MOST_GROUPS) -> None:
        self._groups: dict[tuple[str, Level, str], Group] = {}
        self._most = most
        self.left_over = 0

    def add(self, service: str, pod: str, event: Event) -> None:
        """Count an event. Secrets are removed before anything else."""
        text = redact.clean(event.text)
        shape = pattern(text)
        group = self._groups.get((service, event.level, shape))
        if group is None:
            if len(self._groups) >= self._most:
                self.left_over += 1
                return
            key = hashlib.sha256(f"{service}\n{event.level}\n{shape}".encode()).hexdigest()[:16]
            group = Group(key, service, event.level, shape, text[:_EXAMPLE])
            self._groups[service, event.level, shape] = group
        _count(group, pod, event.at)

    def ordered(self, known: Iterable[str]) -> list[Group]:
        """New ones first, then the worse, then the more frequent."""
        seen, order = set(known), list(Level)
        return sorted(
            self._groups.values(),
            key=lambda group: (group.key in seen, order.index(group.level), -group.count, group.service, group.pattern),
        )


def _count(group: Group, pod: str, at: str) -> None:
    group.count += 1
    if at:
        group.first = min(group.first or at, at)
        group.last = max(group.last, at)
    if len(group.pods) < _MOST_PODS:
        group.pods.add(pod)
