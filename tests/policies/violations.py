"""Stacks that violate every rule once, put together from each rule's own failing cases, a new rule's like the rest."""

from __future__ import annotations

from functools import cache

from policies.catalogue import ALL
from policies.model import Outcome
from tests.policies.all_cases import FAILS, is_plain
from tests.policies.cases import PRODUCTION, Case
from tests.policies.running import rules_that_speak
from tests.policies.stack import Stack, good_stack


def failing_cases() -> list[Case]:
    """Every rule's failing cases under production's configuration, of known values."""
    return [case for case in FAILS if is_plain(case)]


@cache
def one_violation_of_each_rule() -> tuple[tuple[Stack, frozenset[str]], ...]:
    """Stacks, as few as it takes, each with the names of the rules that speak in it.

    Two cases that change the same thing cannot be in one stack. A rule that no change alone breaks under production's
    configuration is in none.
    """
    known = {case[0] for case in failing_cases()}
    waiting = [rule.meta.name for rule in ALL if rule.meta.name in known]
    assert len(waiting) > 0.9 * len(ALL)
    stacks: list[tuple[Stack, frozenset[str]]] = []
    while waiting:
        stack, spoken = _violating(waiting)
        left = [name for name in waiting if name not in spoken]
        assert left != waiting, f"no case breaks any of these: {waiting}"
        stacks.append((stack, spoken))
        waiting = left
    return tuple(stacks)


def _violating(wanted: list[str]) -> tuple[Stack, frozenset[str]]:
    stack, spoken = good_stack(), frozenset[str]()
    for rule in wanted:
        if rule in spoken:
            continue
        for case in (case for case in failing_cases() if case[0] == rule):
            try:
                more = stack.changed(*case[1:])
            except (KeyError, IndexError, TypeError):
                continue  # another rule's case has taken away what this one changes
            found = frozenset(rules_that_speak(more, Outcome.VIOLATED, PRODUCTION))
            if found >= spoken | {rule}:
                stack, spoken = more, found
                break
    return stack, spoken
