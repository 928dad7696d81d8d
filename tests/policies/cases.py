"""What cases are, and all of them: each changes the good stack, and says what one rule makes of it.

A case names one rule. What else the change breaks is the business of other cases: a service that lost its labels has
lost its autoscaler, its budget and its network policy as well.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from tests.policies.stack import CONFIG, Change, Path, Stack, good_stack

Case: TypeAlias = tuple[str, *tuple[Change, ...]]
# A rule, and the place that is not yet known.
Waiting: TypeAlias = tuple[str, str, Path]

PRODUCTION = {
    "stateful-protected": {"production": True},
    "backups-locked": {"production": True},
    "backups-encrypted": {"production": True},
    "backups-signed": {"production": True},
    "network-egress-narrowed": {"production": True},
    "postgres-verified": {"production": True},
    "outside-encrypted": {"production": True},
    "redis-login": {"production": True},
    "kafka-login": {"production": True},
}


def stack_of(case: Case) -> Stack:
    """The good stack with the case's changes."""
    return good_stack().changed(*case[1:])


def config_of(case: Case) -> dict[str, Any]:
    """The pack's configuration: production's, and what the case sets."""
    own: dict[str, Any] = {str(rule): value for name, rule, value in case[1:] if name == CONFIG}
    return {**PRODUCTION, **own}


def label(case: Case) -> str:
    """A case in a test's name."""
    rule, *changes = case
    return "-".join([rule, *(f"{name}-{str(path)[-25:]}-{value}" for name, path, value in changes)])[:100]
