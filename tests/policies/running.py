"""Running the pack's rules over a stack in tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.catalogue import ALL, BY_NAME
from policies.index import StackIndex
from policies.judging import judge_resource, judge_stack
from policies.model import Finding, Outcome, Resource, ResourceRule, Rule, Verdict
from tests.policies.stack import Stack

Config = Mapping[str, Mapping[str, Any]]


def judge_all(stack: Stack, config: Config | None = None) -> dict[str, Verdict]:
    """The verdict of each rule over the whole stack, by the rule's name."""
    resources, given = stack.resources(), config or {}
    index = StackIndex(resources)
    return {rule.meta.name: judge(rule, resources, index, given) for rule in ALL}


def judge_rule(name: str, stack: Stack, config: Config | None = None) -> Verdict:
    """The verdict of one rule over the whole stack."""
    resources = stack.resources()
    return judge(BY_NAME[name], resources, StackIndex(resources), config or {})


def judge(rule: Rule, resources: list[Resource], index: StackIndex, config: Config) -> Verdict:
    """The verdict of a rule over resources and their index."""
    parameters = config.get(rule.meta.name, {})
    if isinstance(rule, ResourceRule):
        parts = [judge_resource(rule, resource, parameters) for resource in resources]
    else:
        parts = [judge_stack(rule, index, parameters)]
    findings = tuple(finding for part in parts for finding in part.findings)
    return Verdict(sum(part.matched for part in parts), findings)


def findings_of(stack: Stack, outcome: Outcome, config: Config | None = None) -> list[Finding]:
    """Every finding with that outcome."""
    return [finding for verdict in judge_all(stack, config).values() for finding in verdict.of(outcome)]


def rules_that_speak(stack: Stack, outcome: Outcome = Outcome.VIOLATED, config: Config | None = None) -> set[str]:
    """Names of the rules with a finding of that outcome."""
    return {finding.rule.name for finding in findings_of(stack, outcome, config)}
