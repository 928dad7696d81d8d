"""Running the pack's rules over a stack in tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from policies.catalogue import ALL, BY_NAME
from policies.index import StackIndex
from policies.judging import Panel, judge_resource, judge_stack
from policies.model import Finding, Outcome, Resource, ResourceRule, Rule, Verdict
from tests.policies.stack import Stack

Config = Mapping[str, Mapping[str, Any]]


def judge_all(stack: Stack, config: Config | None = None, only: str | None = None) -> dict[str, Verdict]:
    """The verdict of each rule, by the rule's name; over the whole stack, or over one resource of it and the joins."""
    panel, resources = Panel(ALL, config or {}), stack.resources()
    found: defaultdict[str, list[Verdict]] = defaultdict(list)
    for resource in resources:
        if only in (None, resource.name):
            for rule, verdict in panel.of_resource(resource):
                found[rule.meta.name].append(verdict)
    for rule, verdict in panel.of_stack(StackIndex(resources)):
        found[rule.meta.name].append(verdict)
    return {rule.meta.name: _sum(found[rule.meta.name]) for rule in ALL}


def judge_rule(name: str, stack: Stack, config: Config | None = None) -> Verdict:
    """The verdict of one rule over the whole stack."""
    return judge(BY_NAME[name], stack.resources(), config or {})


def judge(rule: Rule, resources: list[Resource], config: Config) -> Verdict:
    """The verdict of a rule over resources."""
    parameters = config.get(rule.meta.name, {})
    if isinstance(rule, ResourceRule):
        return _sum([judge_resource(rule, resource, parameters) for resource in resources])
    return judge_stack(rule, StackIndex(resources), parameters)


def _sum(parts: list[Verdict]) -> Verdict:
    findings = tuple(finding for part in parts for finding in part.findings)
    return Verdict(sum(part.matched for part in parts), findings)


def findings_of(stack: Stack, outcome: Outcome, config: Config | None = None, only: str | None = None) -> list[Finding]:
    """Every finding with that outcome; of one resource and of the joins where only that one is asked for."""
    return [finding for verdict in judge_all(stack, config, only).values() for finding in verdict.of(outcome)]


def rules_that_speak(stack: Stack, outcome: Outcome = Outcome.VIOLATED, config: Config | None = None) -> set[str]:
    """Names of the rules with a finding of that outcome."""
    return {finding.rule.name for finding in findings_of(stack, outcome, config)}
