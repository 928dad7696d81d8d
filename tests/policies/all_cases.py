"""All cases."""

from __future__ import annotations

from typing import cast

from policies.plain import Marker
from tests.policies import cases_access, cases_alerts, cases_cloud, cases_first, cases_operations, cases_workloads
from tests.policies.cases import PRODUCTION, Case, Waiting
from tests.policies.stack import CONFIG

_PARTS = (cases_first, cases_workloads, cases_access, cases_operations, cases_cloud, cases_alerts)

PASSES: list[Case] = [case for part in _PARTS for case in part.PASSES]
FAILS: list[Case] = [case for part in _PARTS for case in part.FAILS]
WAITS: list[Waiting] = [case for part in _PARTS for case in part.WAITS]


def is_plain(case: Case) -> bool:
    """Whether every value of the case is known, and it needs no configuration of its own."""
    return all(name != CONFIG and not _marked(value) for name, _, value in case[1:])


def _marked(value: object) -> bool:
    if isinstance(value, dict):
        return any(_marked(item) for item in cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return any(_marked(item) for item in cast("list[object]", value))
    return isinstance(value, Marker)


# One case a rule, for what is slow. What speaks only by configuration is not here.
FIRST_FAILURES: dict[str, Case] = {
    case[0]: case for case in reversed(FAILS) if case[0] not in PRODUCTION and is_plain(case)
}
FIRST_WAITS: dict[str, Waiting] = {case[0]: case for case in reversed(WAITS) if case[0] not in PRODUCTION}
