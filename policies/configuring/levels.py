"""How hard a rule is enforced, in the engine's words."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from policies.model import Meta


class Enforcement(StrEnum):
    """What a violation does. REMEDIATE: the pack mends what it safely can, and what is left counts as mandatory."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    REMEDIATE = "remediate"
    DISABLED = "disabled"


# What stops an update.
BLOCKING: Final = frozenset({Enforcement.MANDATORY, Enforcement.REMEDIATE})


def levels_of(meta: Meta) -> tuple[Enforcement, ...]:
    """The levels that a stack may give a rule: one that nobody is excused from stays mandatory."""
    return tuple(Enforcement) if meta.waivable else (Enforcement.MANDATORY, Enforcement.REMEDIATE)
