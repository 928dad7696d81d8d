"""Running rules: from resources to findings, whatever a rule does."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

from policies.index import StackIndex
from policies.model import (
    Finding,
    Judgement,
    Meta,
    Outcome,
    Parameters,
    Resource,
    ResourceRule,
    StackRule,
    Verdict,
    decide,
)
from policies.plain import to_plain

_STACK = "the stack"


def parameters_of(meta: Meta, given: Parameters) -> Parameters:
    """What a rule is run with: the stack's values over the rule's own. The engine checked them against the schema."""
    plain = {key: to_plain(value) for key, value in given.items()}
    return {parameter.name: plain.get(parameter.name, parameter.default) for parameter in meta.parameters}


def _misspelt(meta: Meta, given: Parameters) -> list[Judgement]:
    """Configuration keys that the rule does not have: the engine lets them pass, and they would do nothing."""
    known = [parameter.name for parameter in meta.parameters]
    allowed = f"one of {', '.join(known)}" if known else "no configuration: this rule has none"
    wrong = sorted(key for key in given if key not in known)
    return [decide(False, f'the key "{key}" of its configuration', "unknown", allowed) for key in wrong]


def judge_resource(rule: ResourceRule, resource: Resource, given: Parameters) -> Verdict:
    """Run a rule on one resource. Never raises: what the rule raises becomes its finding."""
    if not rule.applies(resource.kind):
        return Verdict(0, ())
    pairs = [(resource, judgement) for judgement in _misspelt(rule.meta, given)]
    try:
        pairs.extend((resource, judgement) for judgement in rule.judge(resource, parameters_of(rule.meta, given)))
    except Exception as error:  # noqa: BLE001  a rule must not take the others down, whatever it raises
        pairs.append((resource, _failure(error)))
    return _verdict(rule.meta, pairs)


def judge_stack(rule: StackRule, index: StackIndex, given: Parameters) -> Verdict:
    """Run a rule on the stack. Never raises: what the rule raises becomes its finding."""
    pairs: list[tuple[Resource | None, Judgement]] = [(None, judgement) for judgement in _misspelt(rule.meta, given)]
    try:
        pairs.extend(rule.judge(index, parameters_of(rule.meta, given)))
    except Exception as error:  # noqa: BLE001  a rule must not take the others down, whatever it raises
        pairs.append((None, _failure(error)))
    return _verdict(rule.meta, pairs)


def _verdict(meta: Meta, pairs: Iterable[tuple[Resource | None, Judgement]]) -> Verdict:
    judged = list(pairs)
    findings = tuple(
        Finding(meta, describe(resource) if resource else _STACK, resource.urn if resource else "", judgement)
        for resource, judgement in judged
        if judgement.outcome is not Outcome.PASSED
    )
    return Verdict(len(judged), findings)


def describe(resource: Resource) -> str:
    """A resource as people call it: its kind and its own name, else the name in the program."""
    name = resource.at("metadata", "name").text or resource.name
    return f"{resource.kind.rpartition('/')[2]} {name}"


def _failure(error: Exception) -> Judgement:
    # The error's text may hold a value, and a value may be a secret: only its kind and place are told.
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return Judgement(Outcome.FAILED, "", f"{type(error).__name__}{place}", "")
