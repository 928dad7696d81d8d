"""The types of a class's properties are looked up once, and are those that the SDK finds."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import inspect
import typing

import pytest
from pulumi import _types
from pulumi_kubernetes import core

from components import sdk_types


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The functions whose annotations are evaluated, with nothing remembered before."""
    seen: list[object] = []
    evaluate = typing.get_type_hints

    def record(of: object, *rest: object, **named: object) -> dict[str, object]:
        seen.append(of)
        return evaluate(of, *rest, **named)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(_types, "get_type_hints", record)
    monkeypatch.setattr(_types, "_types_from_py_properties", inspect.unwrap(_types._types_from_py_properties))
    return seen


def test_the_second_look_at_a_class_evaluates_nothing_and_finds_the_same(looked_up: list[object]) -> None:
    finds = [
        (_types.input_type_types, core.v1.ServicePortArgs),
        (_types.output_type_types, core.v1.outputs.ServicePort),
    ]
    expected = [find(of) for find, of in finds]
    assert all(expected)
    sdk_types.remember()
    looked_up.clear()
    assert [find(of) for find, of in finds] == expected
    assert looked_up
    looked_up.clear()
    assert [find(of) for find, of in finds] == expected
    assert looked_up == []
