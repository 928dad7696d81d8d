"""The arithmetic of disruption budgets, as the controller of Kubernetes does it."""

from __future__ import annotations

import re
from typing import Final

from policies.plain import Node, Plain
from policies.values import UnreadableValueError, whole

_PERCENT: Final = re.compile(r"([0-9]{1,10})%")
_WHOLE: Final = 100
# Stands for a number of pods that is not known: only what blocks any number of them blocks it.
MANY: Final = 1_000_000


def share(value: Plain, pods: int) -> int:
    """A number of pods, or a percentage of ``pods``, rounded up.

    Raises:
        UnreadableValueError: it is neither, below zero or above 100%.
    """
    if not isinstance(value, str):
        if whole(value) < 0:
            raise UnreadableValueError(value)
        return whole(value)
    percent = _PERCENT.fullmatch(value)
    if percent is None or int(percent[1]) > _WHOLE:
        raise UnreadableValueError(value)
    return -(-int(percent[1]) * pods // _WHOLE)


def evictions(most: Node, least: Node, pods: int) -> int:
    """How many of ``pods`` healthy pods may leave at once, by ``maxUnavailable`` or else by ``minAvailable``.

    Raises:
        UnreadableValueError: the one that is there is neither a number of pods nor a percentage.
    """
    healthy = pods - share(most.value, pods) if most.present else share(least.value, pods)
    return pods - max(healthy, 0)


def allowed(pods: int) -> str:
    """What a budget over so many pods may say."""
    of = "" if pods == MANY else f" of {pods}"
    return f"a number or a percentage that lets 1 pod{of} go, so that a node can be drained"
