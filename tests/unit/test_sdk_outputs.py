"""The SDK gets the answers of the engine without the provider's own records, and otherwise whole."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime import rpc

from components import sdk_outputs

METADATA = {"name": "app-config", "labels": {"app": "api"}}
ANSWER = {"data": {"key": "value"}, "kind": "ConfigMap", "nothing": None, "many": [1.0, {"__inputs": "inner"}]}


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the SDK's own function is called with."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(rpc, "resolve_outputs", rpc.resolve_outputs)

    def record(*given: Any, **named: Any) -> None:
        calls.append((*given, named))

    monkeypatch.setattr(sdk_outputs, "_RESOLVE", record)
    sdk_outputs.lighten()
    return calls


def _struct(value: dict[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(value)
    return struct


def _resolve(answer: dict[str, Any]) -> None:
    rpc.resolve_outputs("resource", "sent", _struct(answer), "dependencies", "resolvers", True, keep_unknowns=True)  # pyright: ignore[reportArgumentType]


def test_what_no_attribute_can_show_is_dropped_and_the_rest_is_passed_as_it_came(passed: list[tuple[Any, ...]]) -> None:
    records = {"__inputs": {"data": {"key": "value"}}, "__fieldManager": "pulumi", "__initialApiVersion": "v1"}
    _resolve({**ANSWER, **records, "metadata": {**METADATA, "managedFields": [{"manager": "pulumi"}]}})
    expected = _struct({**ANSWER, "metadata": METADATA})
    assert passed == [("resource", "sent", expected, "dependencies", "resolvers", True, {"keep_unknowns": True})]


def test_an_answer_without_records_is_not_changed(passed: list[tuple[Any, ...]]) -> None:
    for answer in (ANSWER, {}, {"metadata": METADATA}, {"metadata": "a string"}, {"__provider": "a dynamic one"}):
        _resolve(answer)
        assert passed.pop()[2] == _struct(answer)
