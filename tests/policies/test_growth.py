"""What the rules cost grows with the stack and not with its square, however alike the resources are."""

from __future__ import annotations

import cProfile
import pstats
from typing import Any

from policies.catalogue import ALL
from policies.index import StackIndex
from policies.judging import Panel
from policies.model import Resource
from policies.plain import Plain
from tests.policies.stack import good_stack

_SAME = {"app": "same"}


def _alike(value: Plain, key: str = "") -> Plain:
    """``value`` with the same labels, and selectors that fit them, everywhere."""
    if isinstance(value, dict) and key in ("labels", "matchLabels", "selector") and "matchLabels" not in value:
        return dict(_SAME)
    if isinstance(value, dict):
        return {name: _alike(each, name) for name, each in value.items()}
    return [_alike(each) for each in value] if isinstance(value, list) else value


def _crowd(copies: int) -> list[Resource]:
    """The good stack so many times in its one namespace, each object under a name of its own."""
    crowd: list[Resource] = []
    for number in range(copies):
        for resource in good_stack().resources():
            properties: Any = _alike(resource.properties)
            if "metadata" not in properties:
                continue  # a bucket has one name and no labels
            if number:
                properties["metadata"]["name"] += f"-{number}"
            crowd.append(Resource(resource.type, resource.name, f"{resource.urn}-{number}", properties))
    return crowd


def _calls(crowd: list[Resource]) -> int:
    profile = cProfile.Profile()
    with profile:
        for _ in Panel(ALL).of_stack(StackIndex(crowd)):
            pass
    return int(getattr(pstats.Stats(profile), "total_calls"))  # noqa: B009  unknown to the type checker


def test_a_crowd_with_the_same_labels_costs_no_more_for_each_resource() -> None:
    small, large = _crowd(4), _crowd(16)
    for crowd in (small, large):
        _calls(crowd)  # fills the caches that outlive a run
    assert _calls(large) < 4.4 * _calls(small)
