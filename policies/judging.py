"""Running rules: from resources to findings, whatever a rule does."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from policies.index import StackIndex
from policies.model import (
    Finding,
    Judgement,
    Meta,
    Outcome,
    Parameters,
    Resource,
    ResourceRule,
    Rule,
    StackRule,
    Verdict,
    decide,
)
from policies.plain import to_plain

THE_STACK: Final = "the stack"
_NOTHING: Final[Mapping[str, Any]] = {}


def parameters_of(meta: Meta, given: Parameters) -> Parameters:
    """What a rule is run with: the stack's values over the rule's own. The engine checked them against the schema."""
    plain = {key: to_plain(value) for key, value in given.items()}
    return {parameter.name: plain.get(parameter.name, parameter.default) for parameter in meta.parameters}


def misspelt(meta: Meta, given: Parameters) -> list[Judgement]:
    """Configuration keys that the rule does not have: the engine lets them pass, and they would do nothing."""
    known = [parameter.name for parameter in meta.parameters]
    allowed = f"one of {', '.join(known)}" if known else "no configuration: this rule has none"
    wrong = sorted(key for key in given if key not in known)
    return [decide(False, f'the key "{key}" of its configuration', "unknown", allowed) for key in wrong]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A rule with the parameters of this run: what does not change from resource to resource is worked out once."""

    rule: Rule
    parameters: Parameters
    complaints: tuple[Judgement, ...]


def _prepared(rule: Rule, given: Parameters) -> _Prepared:
    return _Prepared(rule, parameters_of(rule.meta, given), tuple(misspelt(rule.meta, given)))


class Panel:
    """The rules of a run, sorted by the kinds that they look at. Never raises: what a rule raises is its finding."""

    def __init__(self, rules: Iterable[Rule], given: Mapping[str, Parameters] = _NOTHING) -> None:
        prepared = [_prepared(rule, given.get(rule.meta.name, _NOTHING)) for rule in rules]
        self._resource_rules = [each for each in prepared if isinstance(each.rule, ResourceRule)]
        self._stack_rules = [each for each in prepared if isinstance(each.rule, StackRule)]
        self._by_kind: dict[str, tuple[_Prepared, ...]] = {}

    def of_resource(self, resource: Resource) -> Iterable[tuple[Rule, Verdict]]:
        """The verdict of each rule that looks at the resource's kind, in the rules' order."""
        kind = resource.kind
        rules = self._by_kind.get(kind)
        if rules is None:
            rules = self._by_kind[kind] = tuple(
                each for each in self._resource_rules if isinstance(each.rule, ResourceRule) and each.rule.applies(kind)
            )
        for each in rules:
            yield each.rule, _judge_resource(each, resource)

    def of_stack(self, index: StackIndex) -> Iterable[tuple[Rule, Verdict]]:
        """The verdict of each rule over the stack, in the rules' order."""
        for each in self._stack_rules:
            yield each.rule, _judge_stack(each, index)


class _Hearing:
    """What one rule says in one run, collected."""

    __slots__ = ("findings", "matched", "meta")

    def __init__(self, meta: Meta) -> None:
        self.meta = meta
        self.matched = 0
        self.findings: list[Finding] = []

    def hear(self, resource: Resource | None, judgement: Judgement) -> None:
        self.matched += 1
        if resource is not None and resource.partial and judgement.outcome is Outcome.UNKNOWN:
            return  # what a change of another object leaves out is never known here
        if judgement.outcome is not Outcome.PASSED:
            name, urn = (describe(resource), resource.urn) if resource else (THE_STACK, "")
            self.findings.append(Finding(self.meta, name, urn, judgement))

    def verdict(self) -> Verdict:
        return Verdict(self.matched, tuple(self.findings))


def judge_resource(rule: ResourceRule, resource: Resource, given: Parameters) -> Verdict:
    """Run a rule on one resource. Never raises: what the rule raises becomes its finding."""
    return _judge_resource(_prepared(rule, given), resource) if rule.applies(resource.kind) else Verdict(0, ())


def _judge_resource(prepared: _Prepared, resource: Resource) -> Verdict:
    rule = prepared.rule
    assert isinstance(rule, ResourceRule)  # noqa: S101  for the type checker
    hearing = _Hearing(rule.meta)
    for complaint in prepared.complaints:
        hearing.hear(resource, complaint)
    try:
        for judgement in rule.judge(resource, prepared.parameters):
            hearing.hear(resource, judgement)
    except Exception as error:  # noqa: BLE001  a rule must not take the others down, whatever it raises
        hearing.hear(resource, _failure(error))
    return hearing.verdict()


def judge_stack(rule: StackRule, index: StackIndex, given: Parameters) -> Verdict:
    """Run a rule on the stack. Never raises: what the rule raises becomes its finding."""
    return _judge_stack(_prepared(rule, given), index)


def _judge_stack(prepared: _Prepared, index: StackIndex) -> Verdict:
    rule = prepared.rule
    assert isinstance(rule, StackRule)  # noqa: S101  for the type checker
    hearing = _Hearing(rule.meta)
    for complaint in prepared.complaints:
        hearing.hear(None, complaint)
    try:
        for resource, judgement in rule.judge(index, prepared.parameters):
            hearing.hear(resource, judgement)
    except Exception as error:  # noqa: BLE001  a rule must not take the others down, whatever it raises
        hearing.hear(_at_hand(error.__traceback__), _failure(error))
    return hearing.verdict()


def describe(resource: Resource) -> str:
    """A resource as people call it: its kind and its own name, else the name in the program."""
    name = resource.at("metadata", "name").text or resource.name
    return f"{resource.kind.rpartition('/')[2]} {name}"


def _failure(error: Exception) -> Judgement:
    # The error's text may hold a value, and a value may be a secret: only its kind and place are told.
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return Judgement(Outcome.FAILED, "", f"{type(error).__name__}{place}", "")


def _at_hand(trace: TracebackType | None) -> Resource | None:
    """The resource that a rule over the stack looked at when it broke: the innermost one that its functions held."""
    found: Resource | None = None
    while trace is not None:
        held = [value for value in trace.tb_frame.f_locals.values() if isinstance(value, Resource)]
        found = held[0] if held else found
        trace = trace.tb_next
    return found
