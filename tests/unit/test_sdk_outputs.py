"""The SDK gets what the program reads of the engine's answers, and nothing else."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime import rpc

from components import sdk_outputs
from local import recording

METADATA = {"name": "app-config", "labels": {"app": "api"}}
ANSWER = {"data": {"key": "value"}, "kind": "ConfigMap", "nothing": None, "many": [1.0, {"__inputs": "inner"}]}
SENT = {"metadata": {"name": "wanted"}, "data": {"key": "value"}}
RECORDS = {"__inputs": {"data": {"key": "value"}}, "__fieldManager": "pulumi", "__initialApiVersion": "v1"}


class _Component(pulumi.ComponentResource):
    def __init__(self) -> None:
        """Made of nothing: no engine is there to register it at."""


def _config_map() -> kubernetes.core.v1.ConfigMap:
    return object.__new__(kubernetes.core.v1.ConfigMap)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "resolve_outputs", rpc.resolve_outputs)
    monkeypatch.setattr(rpc, "transfer_properties", rpc.transfer_properties)


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the SDK's own function is called with."""
    calls: list[tuple[Any, ...]] = []

    def record(*given: Any, **named: Any) -> None:
        calls.append((*given[1:], named))

    monkeypatch.setattr(sdk_outputs, "_RESOLVE", record)
    sdk_outputs.lighten()
    return calls


def _struct(value: dict[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(value)
    return struct


def _resolve(resource: pulumi.Resource, answer: dict[str, Any]) -> None:
    sent = _struct(SENT)
    rpc.resolve_outputs(resource, sent, _struct(answer), "dependencies", "resolvers", True, keep_unknowns=True)  # pyright: ignore[reportArgumentType]


def test_of_an_object_of_kubernetes_the_metadata_is_passed_without_who_manages_it(
    passed: list[tuple[Any, ...]],
) -> None:
    managed = {**METADATA, "managedFields": [{"manager": "pulumi"}]}
    _resolve(_config_map(), {**ANSWER, **RECORDS, "metadata": managed})
    expected = (_struct({"metadata": SENT["metadata"]}), _struct({"metadata": METADATA}))
    assert passed == [(*expected, "dependencies", "resolvers", True, {"keep_unknowns": True})]


def test_of_anything_else_all_but_the_providers_records_is_passed(passed: list[tuple[Any, ...]]) -> None:
    for answer in (ANSWER, {}, {"metadata": METADATA}, {"metadata": "a string"}, {"__provider": "a dynamic one"}):
        _resolve(_Component(), {**answer, **RECORDS})
        assert passed.pop()[:2] == (_struct(SENT), _struct(answer))


def test_whoever_reads_what_is_not_answered_is_told_so_and_metadata_can_be_read() -> None:
    sdk_outputs.lighten()
    read: list[str] = []

    def program() -> None:
        config_map = kubernetes.core.v1.ConfigMap("one", metadata={"name": "one"}, data={"key": "value"})
        config_map.metadata.apply(lambda metadata: read.append(metadata.name or ""))
        with pytest.raises(AttributeError, match=r"data of ConfigMap is not read .* components/sdk_outputs.py"):
            config_map.data.apply(str)
        with pytest.raises(AttributeError, match="api_version of ConfigMap"):
            config_map.api_version.apply(str)

    assert recording.run(program)
    assert read == ["one"]


def test_what_is_not_answered_cannot_be_passed_on_unnoticed() -> None:
    sdk_outputs.lighten()

    def program() -> None:
        first = kubernetes.core.v1.ConfigMap("one", data={"key": "value"})
        kubernetes.core.v1.ConfigMap("two", data=first.data)

    with pytest.raises(Exception, match=r"data of ConfigMap is not read|unexpected input"):
        recording.run(program)
