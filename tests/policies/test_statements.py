"""Statements of AWS: patterns mean what moto's engine makes of them, actions are those of AWS' own reference."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from policies import statements
from policies.plain import Node, Plain
from tests.policies.unscoped import PLACE, reference, written

_NOBODYS = "arn:aws:s3:::q7zq7z/q7z"
# Moto gives other characters of patterns the meaning that they have in regular expressions.
_PATTERNS = st.text("ab/*", max_size=8)


def _denied(statement: dict[str, Any], action: str, resource: str) -> bool:
    verdict = cast("Any", IAMPolicyStatement)(statement).is_action_permitted(action, resource)
    return verdict is PermissionResult.DENIED


def _never(_operator: str, _key: str, _value: Plain) -> bool:
    return False


def _refusing(action: str, resource: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": "*", "Action": [f"s3:{action}"], "Resource": resource}


@given(_PATTERNS, _PATTERNS, st.text("ab", max_size=4), st.text("ab/", max_size=4))
def test_a_statement_refuses_what_motos_engine_denies(action: str, resource: str, asked: str, thing: str) -> None:
    stated = _refusing(action, resource or "*")
    (read,) = statements.statements(Node({"Statement": stated})) or []
    refused = statements.refuses(read, f"s3:{asked}", thing, _never)
    assert refused is _denied(stated, f"s3:{asked}", thing)


@given(st.text(":/*a", max_size=6).map(lambda end: f"arn:aws:s3{end}") | st.text("arn:*s3", max_size=12))
def test_a_pattern_that_fits_a_bucket_of_nobody_names_no_resource(pattern: str) -> None:
    if _denied(_refusing("GetObject", pattern or "x"), "s3:GetObject", _NOBODYS):
        assert not statements.names_resource(pattern)


def test_a_pattern_with_many_wildcards_is_read_at_once() -> None:
    assert not statements.fits("*a" * 200 + "b", "a" * 2000)
    assert statements.fits("[a]?c", "[a]bc")
    assert not statements.fits("[a]", "a")


def test_the_actions_that_take_only_all_are_those_of_the_reference() -> None:
    assert PLACE.read_text("ascii") == written()


def test_every_action_of_the_reference_is_written_out_and_no_service_is() -> None:
    actions = [(service, name) for service, names in reference().items() for name in names]
    assert len(actions) > 10_000
    assert [action for action in actions if not statements.names_action(":".join(action))] == []
    assert not any(statements.names_action(f"{service}:*") for service, _ in actions)


@pytest.mark.parametrize("action", ["s3:GetObject", "kms:Decrypt", "iam:PassRole", "sqs:SendMessage", "s3:List*"])
def test_an_action_with_resources_does_not_take_only_all(action: str) -> None:
    assert not statements.takes_only_all(action)
