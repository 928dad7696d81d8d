"""Properties as plain data: unknowns and secrets keep their marks, and walking never raises."""

from __future__ import annotations

import pulumi
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy import deserialize, proxy
from pulumi_policy.secret import Secret

from policies import plain
from policies.plain import MISSING, SECRET, UNKNOWN, Node, to_plain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def test_the_markers_of_the_engine_are_those_of_the_sdk() -> None:
    sentinels = {value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_") and isinstance(value, str)}
    assert len(sentinels) == 7
    assert sentinels == plain.UNKNOWN_SENTINELS
    assert (plain.SIGNATURE_KEY, plain.SECRET_SIGNATURE) == (
        deserialize.SPECIAL_SIG_KEY,
        deserialize.SPECIAL_SECRET_SIG,
    )


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_data_comes_through_the_proxies_unchanged(data: dict[str, object]) -> None:
    assert to_plain(proxy.unknown_checking_proxy(data)) == to_plain(data) == data


def test_what_the_proxies_refuse_to_say_is_marked() -> None:
    proxied = proxy.unknown_checking_proxy({"a": {"b": proxy.UNKNOWN_STRING_VALUE, "verbs": ["*"]}, "c": 3.0, "d": 0.5})
    assert to_plain(proxied) == {"a": {"b": UNKNOWN, "verbs": ["*"]}, "c": 3, "d": 0.5}


def test_a_secret_in_any_form_is_only_a_mark() -> None:
    raw = {plain.SIGNATURE_KEY: plain.SECRET_SIGNATURE, "value": "hunter2"}
    assert to_plain({"a": raw, "b": [Secret("hunter2")], "c": "[secret]"}) == {"a": SECRET, "b": [SECRET], "c": SECRET}


def test_an_asset_is_no_value_that_a_rule_reads() -> None:
    assert to_plain({"source": pulumi.StringAsset("hunter2")}) == {"source": "<StringAsset>"}


def test_secrets_are_marked_where_they_were_seen() -> None:
    seen = to_plain({"a": [{"b": Secret("x")}, 1], "c": Secret("y")})
    paths = list(plain.secret_paths(seen))
    assert paths == [("a", 0, "b"), ("c",)]
    assert plain.mark_secrets({"a": [{"b": "x"}, 1], "c": "y", "d": 1}, paths) == {
        "a": [{"b": SECRET}, 1],
        "c": SECRET,
        "d": 1,
    }
    assert plain.mark_secrets({"a": "reshaped"}, paths) == {"a": "reshaped"}


def test_below_what_cannot_be_read_nothing_can_be_read() -> None:
    node = Node({"a": UNKNOWN, "b": SECRET, "c": None})
    assert node.at("a", "x", "y").value is UNKNOWN
    assert node.at("b", "x").value is SECRET
    assert node.at("c").value is MISSING
    assert node.at("c", "x").value is MISSING
    assert [element.value for element in node.at("a").elements()] == [UNKNOWN]
    assert node.at("c").elements() == ()


@given(JSON, st.lists(st.text(max_size=5), max_size=4))
def test_walking_and_showing_never_raise_and_stay_on_one_line(data: object, keys: list[str]) -> None:
    node = Node(to_plain(data)).at(*keys)
    assert isinstance(node.elements(), tuple)
    assert isinstance(node.entries(), tuple)
    assert len(plain.show(node.value).splitlines()) == 1
