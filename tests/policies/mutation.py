"""Which mutants no case notices: a mutant of a function is shown to the rules that call it, and to no other."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from policies.catalogue import ALL, BY_NAME
from policies.index import StackIndex
from policies.judging import judge_resource, judge_stack
from policies.model import Outcome, Resource, ResourceRule, Rule
from policies.plain import UNKNOWN
from tests.policies.all_cases import FAILS, PASSES, WAITS
from tests.policies.cases import PRODUCTION, config_of, stack_of
from tests.policies.mutants import Mutant
from tests.policies.shared_mutants import forget, running
from tests.policies.stack import Stack, good_stack


@dataclass(frozen=True)
class _Fixture:
    """Resources, those of them that differ from the good stack, and what the rule must say of them."""

    resources: Sequence[Resource]
    changed: Sequence[Resource]
    wanted: frozenset[Outcome]
    config: Mapping[str, Any]


@cache
def _fixtures() -> dict[str, list[_Fixture]]:
    """The fixtures of every rule; what must pass must also be looked at."""
    found: defaultdict[str, list[_Fixture]] = defaultdict(list)
    good = good_stack()
    plain = {name: declared.plain(good) for name, declared in good.items()}

    def add(
        rule: str, stack: Stack, wanted: Outcome | None, names: set[str], config: Mapping[str, Any] = PRODUCTION
    ) -> None:
        own = {name: declared.plain(good) for name, declared in stack.items() if name in names}
        resources = [own[name] if name in own else plain[name] for name in stack]
        found[rule].append(_Fixture(resources, list(own.values()), frozenset({wanted} if wanted else ()), config))

    for case in FAILS:
        add(case[0], stack_of(case), Outcome.VIOLATED, {change[0] for change in case[1:]}, config_of(case))
    for rule, name, path in WAITS:
        add(rule, good.with_value(name, path, UNKNOWN), Outcome.UNKNOWN, {name})
    for case in PASSES:
        add(case[0], stack_of(case), None, {change[0] for change in case[1:]}, config_of(case))
    return dict(found)


@cache
def _good() -> tuple[Resource, ...]:
    return tuple(good_stack().resources())


@cache
def _resources() -> tuple[Resource, ...]:
    """Every resource of the good stack and of the fixtures once."""
    fixtures = (case for found in _fixtures().values() for case in found)
    every = (*_good(), *(each for case in fixtures for each in case.resources))
    return tuple({id(resource): resource for resource in every}.values())


@cache
def _called(name: str) -> frozenset[tuple[str, int]]:
    """Where the functions begin that a rule calls for the good stack and for its cases: file and line."""
    rule = BY_NAME[name]
    called: set[CodeType] = set()

    def note(frame: FrameType, _event: str, _given: object) -> None:
        called.add(frame.f_code)

    forget()
    _forget_notes()
    before = sys.gettrace()
    sys.settrace(note)
    try:
        _passes(rule)
        for fixture in _fixtures()[name]:
            _holds(rule, fixture)
    finally:
        sys.settrace(before)
    return frozenset((Path(code.co_filename).stem, code.co_firstlineno) for code in called)


def _able(rules: Iterable[Rule], mutant: Mutant) -> list[Rule]:
    """The rules that call the function in which a mutant differs; all where it differs outside of functions."""
    lines = mutant.function
    if lines is None:
        return [*rules]
    return [
        rule for rule in rules if any(file == mutant.module and line in lines for file, line in _called(rule.meta.name))
    ]


def survivors(mutants: Iterator[Mutant]) -> Iterator[Mutant]:
    """The mutants with which every case still holds."""
    for mutant in mutants:
        if not _noticed(mutant):
            yield mutant


def shared_survivors(mutants: Iterator[Mutant], facts: Sequence[Callable[[], None]]) -> Iterator[Mutant]:
    """The mutants of what the rules share with which every rule's cases and all facts still hold."""
    # What notices one mutant of a module notices many.
    rules = [*ALL]
    for mutant in mutants:
        able = _able(rules, mutant)
        with running(mutant):
            noticing = _noticing(able)
            if noticing is not None:
                rules.remove(noticing)
                rules.insert(0, noticing)
            elif all(_is_fact(fact) for fact in facts):
                yield mutant


def _noticing(rules: Iterable[Rule]) -> Rule | None:
    """The first rule that says of the good stack or of one of its cases what it should not."""
    _forget_notes()
    for rule in rules:
        try:
            if not _passes(rule) or not all(_holds(rule, fixture) for fixture in _fixtures()[rule.meta.name]):
                return rule
        except Exception:  # noqa: BLE001  what the rules share may raise before a rule is asked
            return rule
    return None


def _forget_notes() -> None:
    """What rules have noted of a resource was found by another mutant, or by another rule."""
    for resource in _resources():
        resource.notes.clear()


def _is_fact(fact: Callable[[], None]) -> bool:
    try:
        fact()
    except Exception:  # noqa: BLE001  whatever it raises, it has noticed
        return False
    return True


def _noticed(mutant: Mutant) -> bool:
    try:
        rules = mutant.rules()
    except Exception:  # noqa: BLE001  a module that does not load is noticed by everybody
        return True
    if any(_loosens(rule) for rule in rules):
        return True
    able = _able(rules, mutant)
    return any(not _holds(rule, fixture) for rule in able for fixture in _fixtures()[rule.meta.name]) or any(
        not _passes(rule) for rule in able
    )


def _loosens(rule: Rule) -> bool:
    """A stack may set what is less strict than the rule's own."""
    return any(each.schema.get("minimum", each.default) != each.default for each in rule.meta.parameters)


def _holds(rule: Rule, fixture: _Fixture) -> bool:
    if isinstance(rule, ResourceRule):
        outcomes = _outcomes(rule, fixture.changed, fixture.config)[1]
    else:
        outcomes = _outcomes(rule, fixture.resources, fixture.config)[1]
    if Outcome.VIOLATED in fixture.wanted:
        return Outcome.VIOLATED in outcomes and Outcome.FAILED not in outcomes
    return frozenset(outcomes) == fixture.wanted


def _passes(rule: Rule) -> bool:
    matched, outcomes = _outcomes(rule, _good(), PRODUCTION)
    return matched > 0 and not outcomes


def _outcomes(rule: Rule, resources: Sequence[Resource], config: Mapping[str, Any]) -> tuple[int, set[Outcome]]:
    """How many facts a rule looked at, and the outcomes that somebody hears of."""
    given = config.get(rule.meta.name, {})
    if isinstance(rule, ResourceRule):
        verdicts = [judge_resource(rule, resource, given) for resource in resources]
    else:
        # A new index for each: what rules keep in one was made by another mutant.
        verdicts = [judge_stack(rule, StackIndex(resources), given)]
    found = {finding.judgement.outcome for verdict in verdicts for finding in verdict.findings}
    return sum(verdict.matched for verdict in verdicts), found
