"""What the SDK sends is the same, whether it converts plain values or passes them."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from google.protobuf import struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi import _types  # pyright: ignore[reportPrivateUsage] (what is replaced in it)
from pulumi.runtime import rpc
from pulumi_kubernetes.core.v1 import ContainerArgs, ContainerPortArgs, PodSpecArgs

from components import sdk, sdk_inputs
from local import recording

PLAIN = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.floats(allow_nan=False) | st.text(max_size=8)
NESTED = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)


class Size(enum.StrEnum):
    LARGE = "large"


class _Named(str):
    __slots__ = ()


def _sent(value: Any) -> Any:
    return asyncio.run(_awaited(lambda: rpc.serialize_property(value, [], "key")))


async def _awaited(call: Callable[[], Any]) -> Any:
    return await call()


def _both(value: Any) -> tuple[Any, Any]:
    before = _sent(value)
    with sdk.put_back():
        sdk_inputs.pass_plain()
        return before, _sent(value)


def _pod(name: str, port: int) -> PodSpecArgs:
    container = ContainerArgs(name=name, image_pull_policy="Always", ports=[ContainerPortArgs(container_port=port)])
    return PodSpecArgs(containers=[container], host_network=False, restart_policy=None)


# Each example takes two milliseconds; what is looked for is a difference, and on a busy machine any one may be held up.
@settings(deadline=2000)
@given(NESTED)
def test_values_of_any_shape_are_sent_as_by_the_sdk(value: Any) -> None:
    before, after = _both(value)
    assert repr(after) == repr(before)


@settings(deadline=2000)
@given(st.text(min_size=1, max_size=8), st.integers(1, 65535))
def test_typed_objects_are_sent_under_the_engines_names(name: str, port: int) -> None:
    before, after = _both(_pod(name, port))
    assert after == before
    assert after["containers"][0]["ports"] == [{"containerPort": port}]


@pytest.mark.parametrize("value", [Size.LARGE, _Named("large"), b"bytes", {1}])
def test_what_is_derived_from_a_plain_type_or_is_none_is_for_the_sdk_to_judge(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Any] = []

    async def record(given: Any, *_rest: Any) -> str:
        judged.append(given)
        return "by the SDK"

    monkeypatch.setattr(sdk_inputs, "_SERIALIZE", record)
    with sdk.put_back():
        sdk_inputs.pass_plain()
        assert _sent(value) == "by the SDK"
        assert _sent("plain") == "plain"
    assert judged == [value]


def test_whoever_asks_for_the_other_form_gets_it() -> None:
    with sdk.put_back():
        sdk_inputs.pass_plain()
        named = asyncio.run(_awaited(lambda: rpc.serialize_property("a", [], None, return_protobuf_value=True)))
        rest = (None, None, None, False, False, True)
        placed = asyncio.run(_awaited(lambda: rpc.serialize_property("a", [], None, *rest)))
    assert named == placed == struct_pb2.Value(string_value="a")


def test_an_output_and_a_secret_inside_of_an_object_are_sent_as_by_the_sdk() -> None:
    def program() -> None:
        first = kubernetes.core.v1.Namespace("one", metadata={"name": "one"})
        data = {"name": first.metadata.name, "secret": pulumi.Output.secret("s"), "plain": "p"}
        kubernetes.core.v1.ConfigMap("two", data=data, immutable=True)

    before = recording.run(program)
    with sdk.put_back():
        sdk_inputs.pass_plain()
        after = recording.run(program)
    assert after == before
    assert after[-1].inputs["immutable"] is True
    assert after[-1].inputs["data"]["value"] == {"name": "one", "secret": "s", "plain": "p"}, "secret as a whole"


def test_each_type_is_taken_apart_once_and_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    hints: list[Any] = [pulumi.Input[str], pulumi.Output[int] | None, pulumi.Input[PodSpecArgs], str]
    before = [_types.unwrap_type(hint) for hint in hints]
    taken_apart: list[Any] = []
    own = _types.unwrap_type

    def count(hint: Any) -> Any:
        taken_apart.append(hint)
        return own(hint)

    monkeypatch.setattr(sdk_inputs, "_UNWRAP", count)
    with sdk.put_back():
        sdk_inputs.pass_plain()
        assert [_types.unwrap_type(hint) for hint in hints * 2] == before * 2
    assert taken_apart == hints
