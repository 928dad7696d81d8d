"""All rules of the pack, in the order in which they are reported."""

from __future__ import annotations

from typing import Final

from policies import buckets, data, namespaces, scaling, schedules, security, workloads
from policies.model import Rule

ALL: Final[tuple[Rule, ...]] = (
    *namespaces.RULES,
    *workloads.RULES,
    *scaling.RULES,
    *security.RULES,
    *schedules.RULES,
    *buckets.RULES,
    *data.RULES,
)
BY_NAME: Final = {rule.meta.name: rule for rule in ALL}
