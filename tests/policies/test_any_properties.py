"""Whatever a resource's properties are, no rule breaks or hangs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.model import Outcome
from policies.plain import SECRET, UNKNOWN, Plain
from tests.policies.running import findings_of
from tests.policies.stack import Stack, good_stack

GOOD = good_stack()


def _words(value: Plain) -> set[str]:
    """Every key and text of the good stack: random data must use the real words, or no rule looks at it."""
    if isinstance(value, dict):
        return set(value) | {word for element in value.values() for word in _words(element)}
    if isinstance(value, list):
        return {word for element in value for word in _words(element)}
    return {value} if isinstance(value, str) else set()


WORDS = sorted({word for declared in GOOD.values() for word in _words(declared.properties)})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(WORDS)
    | st.sampled_from([UNKNOWN, SECRET])
    | st.sampled_from(["1e999", "-1", "9" * 400, "maxmemory 1tb", "a@b@c", ":", "* * * * *", "\x00"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=15,
)


def _paths(value: Plain, path: tuple[str, ...] = ()) -> list[str]:
    found = [".".join(path)] if path else []
    if isinstance(value, dict):
        return found + [each for key, element in value.items() for each in _paths(element, (*path, key))]
    if isinstance(value, list):
        return found + [each for i, element in enumerate(value) for each in _paths(element, (*path, str(i)))]
    return found


# A key with a dot in it has no path of this form.
PLACES = [
    (name, path)
    for name, declared in GOOD.items()
    for path in _paths(declared.properties)
    if not any(mark in path for mark in (".conf", ".ini", ".json", "/"))
]


def _broken(stack: Stack, name: str) -> list[str]:
    began = time.process_time()
    broken = [finding.message for finding in findings_of(stack, Outcome.FAILED, only=name)]
    assert time.process_time() - began < 2, "CPU seconds: a busy machine makes no rule slow"
    return broken


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(GOOD)), st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=5))
def test_a_resource_of_arbitrary_properties_breaks_no_rule(name: str, properties: dict[str, Any]) -> None:
    assert _broken(Stack({**GOOD, name: replace(GOOD[name], properties=properties)}), name) == []


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PLACES), ANYTHING)
def test_an_arbitrary_value_in_any_place_breaks_no_rule(place: tuple[str, str], value: object) -> None:
    assert len(PLACES) > 100
    assert _broken(GOOD.with_value(*place, value), place[0]) == []
