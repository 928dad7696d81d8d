"""How the stand-in provider compares, names, refuses and normalises; no server is needed."""

from __future__ import annotations

import json
from typing import Any

import pulumi_aws
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental.property_value import PropertyValue

from local.aws.provider import documents, functions, shapes
from local.aws.provider.check import Defaults, completed, refusals
from local.aws.provider.clients import Clients, Connection
from local.aws.provider.errors import ProviderError
from local.aws.provider.model import Naming, changes, foreseen, inputs_of, names_collide
from local.aws.provider.registry import resource_type, resource_types
from local.aws.provider.values import UNKNOWN, Values, has_unknown, plain_values, property_values, secret_names

_SEED = bytes.fromhex("0123456789abcdef")
_DEFAULTS = Defaults(region="eu-west-1")
_BUCKET = "aws:s3/bucket:Bucket"
_ROLE = "aws:iam/role:Role"
_KEY = "aws:kms/key:Key"
_JSON = st.recursive(
    st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner),
    max_leaves=8,
)


def _names(pulumi_type: str, state: Values, new: Values) -> list[str]:
    return [change.name for change in changes(resource_type(pulumi_type), state, new)]


def test_every_type_and_property_exists_in_the_installed_sdk() -> None:
    assert resource_types()
    for pulumi_type, kind in resource_types().items():
        module = getattr(pulumi_aws, pulumi_type.split(":")[1].split("/")[0])
        name = pulumi_type.rpartition(":")[2]
        known = _properties_of(getattr(module, name)) | _properties_of(getattr(module, f"{name}Args"))
        assert {*kind.properties, *kind.computed} <= known, pulumi_type


def _properties_of(sdk_class: type[object]) -> set[str]:
    return {_camel(name) for name, value in vars(sdk_class).items() if isinstance(value, property)}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def test_the_type_in_the_urn_of_a_components_child_is_understood() -> None:
    assert resource_type(f"crypto:aws:Backups${_BUCKET}") is resource_type(_BUCKET)


def test_an_unknown_type_is_named_with_those_that_exist() -> None:
    with pytest.raises(ProviderError, match=r"no aws:sqs/queue:Queue; it has .*aws:s3/bucket:Bucket"):
        resource_type("aws:sqs/queue:Queue")


def test_what_the_embedded_environment_cannot_do_is_refused_and_not_ignored() -> None:
    (name, reason), *others = refusals(resource_type(_BUCKET), {"bucket": "b", "acl": "public-read"}).items()
    assert (name, others) == ("acl", [])
    assert "has no acl" in reason
    assert refusals(resource_type(_ROLE), {}) == {"assumeRolePolicy": f"{_ROLE} needs assumeRolePolicy"}


def test_leaving_out_a_default_is_no_difference() -> None:
    assert _names(_BUCKET, {"bucket": "b", "forceDestroy": False, "tags": {}}, {"bucket": "b"}) == []
    assert _names(_ROLE, {"name": "r", "path": "/"}, {"name": "r"}) == []
    assert _names(_ROLE, {"name": "r", "path": "/x/"}, {"name": "r"}) == ["path"]


def test_what_aws_decided_is_a_difference_only_when_it_is_given() -> None:
    assert _names(_KEY, {"description": "made by hand"}, {}) == []
    assert _names(_KEY, {"description": "made by hand"}, {"description": "backups"}) == ["description"]


def test_an_unknown_input_is_a_difference() -> None:
    assert _names(_BUCKET, {"bucket": "b", "tags": {"a": "b"}}, {"bucket": "b", "tags": {"a": UNKNOWN}}) == ["tags"]


def test_a_replacement_waits_for_the_deletion_only_where_the_name_stays() -> None:
    role = resource_type(_ROLE)
    assert names_collide(role, {"name": "r", "path": "/"}, {"name": "r", "path": "/x/"})
    assert not names_collide(role, {"name": "r", "path": "/"}, {"name": "r2", "path": "/x/"})
    assert not names_collide(role, {"name": "r"}, {"name": UNKNOWN})
    assert not names_collide(resource_type(_KEY), {}, {})


def test_a_preview_says_what_it_knows_and_that_the_rest_is_unknown() -> None:
    seen = foreseen(resource_type(_BUCKET), {"bucket": "b", "tags": {"a": "b"}})
    assert (seen["bucket"], seen["tagsAll"], seen["arn"]) == ("b", {"a": "b"}, UNKNOWN)
    again = foreseen(resource_type(_BUCKET), {"bucket": "b"}, {"bucket": "b", "arn": "arn:aws:s3:::b"})
    assert again["arn"] == "arn:aws:s3:::b"


def test_an_import_takes_over_what_is_not_default() -> None:
    state: Values = {"bucket": "b", "tags": {}, "region": "eu-west-1", "objectLockEnabled": True, "arn": "arn"}
    assert inputs_of(resource_type(_BUCKET), {}, state) == {"bucket": "b", "objectLockEnabled": True}


def test_a_made_up_name_is_short_enough_and_kept() -> None:
    kind = resource_type(_BUCKET)
    first = completed(kind, "Backups" * 20, {}, {}, _SEED, _DEFAULTS)
    assert len(first["bucket"]) == 63
    assert first["bucket"].islower()
    assert first["bucket"].endswith("0123456")
    assert completed(kind, "Backups", {}, first, b"\xff" * 8, _DEFAULTS) == first
    alias = completed(resource_type("aws:kms/alias:Alias"), "k", {"targetKeyId": "x"}, {}, _SEED, _DEFAULTS)
    assert alias["name"] == "alias/k-0123456"


def test_another_prefix_makes_another_name() -> None:
    kind = resource_type(_BUCKET)
    first = completed(kind, "b", {"bucketPrefix": "one-"}, {}, _SEED, _DEFAULTS)
    second = completed(kind, "b", {"bucketPrefix": "two-"}, first, _SEED, _DEFAULTS)
    assert (first["bucket"], second["bucket"]) == ("one-0123456", "two-0123456")


@given(st.text("abcXYZ-", min_size=1, max_size=300), st.binary(max_size=16))
def test_no_made_up_name_is_longer_than_its_limit(logical: str, seed: bytes) -> None:
    assert len(Naming("name", limit=64).name(logical, None, seed)) <= 64


@given(_JSON)
def test_values_survive_the_wire(value: Any) -> None:
    assert plain_values(property_values({"value": value})) == {"value": value}


def test_secrets_are_marked_again_after_they_were_used() -> None:
    given_ = {"tags": PropertyValue({"note": PropertyValue("secret", is_secret=True)}), "bucket": PropertyValue("b")}
    marked = property_values({"tags": {}, "tagsAll": {}, "bucket": "b"}, secret_names(given_))
    assert {name for name, value in marked.items() if value.is_secret} == {"tags", "tagsAll"}


def test_unknowns_are_found_at_any_depth() -> None:
    assert has_unknown({"a": [{"b": UNKNOWN}]})
    assert not has_unknown({"a": [{"b": "x"}]})


def _document(**statement: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (_document(Action="s3:GetObject"), _document(Action=["s3:GetObject"])),
        (_document(Action=["a", "b"], Resource="*"), _document(Resource=["*"], Action=["b", "a"])),
        (_document(Principal={"AWS": ["x"]}), _document(Principal={"AWS": "x"})),
        (
            _document(Condition={"Bool": {"aws:SecureTransport": False}}),
            _document(Condition={"Bool": {"aws:SecureTransport": ["false"]}}),
        ),
        ({"Statement": {"Effect": "Allow", "Action": "a"}}, {"Statement": [{"Effect": "Allow", "Action": "a"}]}),
    ],
)
def test_spellings_of_one_policy_mean_the_same(left: Any, right: Any) -> None:
    assert documents.meaning(json.dumps(left, indent=3)) == documents.meaning(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (_document(Action="s3:GetObject"), _document(Action="s3:PutObject")),
        (_document(Action="a", Resource="x"), _document(Action="a", NotResource="x")),
        (_document(Action="a", Principal="*"), _document(Action="a", Principal={"AWS": "*"})),
        (_document(Action="a"), {**_document(Action="a"), "Version": "2008-10-17"}),
        (
            _document(Condition={"Bool": {"aws:SecureTransport": "false"}}),
            _document(Condition={"Bool": {"aws:SecureTransport": "true"}}),
        ),
    ],
)
def test_different_policies_stay_different(left: Any, right: Any) -> None:
    assert documents.meaning(left) != documents.meaning(right)


def test_text_that_is_no_policy_is_compared_as_it_is() -> None:
    assert documents.meaning("{not json") == "{not json"
    assert documents.as_json({"a": 1}) == '{"a":1}'


def test_nested_settings_go_to_the_api_and_back() -> None:
    rule = {
        "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "k"},
        "bucketKeyEnabled": True,
    }
    sent = shapes.to_api(rule)
    assert sent["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}
    assert shapes.from_api(sent) == rule
    assert shapes.compact({"expiration": {"days": 30, "expiredObjectDeleteMarker": False}, "prefix": ""}) == {
        "expiration": {"days": 30}
    }


def test_a_policy_document_is_built_as_the_genuine_provider_builds_it() -> None:
    clients = Clients(Connection({}, "eu-west-1", "a", "b"))
    statement = {
        "sid": "Assume",
        "actions": ["sts:AssumeRoleWithWebIdentity"],
        "principals": [{"type": "Federated", "identifiers": ["arn"]}],
        "conditions": [{"test": "StringEquals", "variable": "sub", "values": ["system:serviceaccount:crypto:b"]}],
    }
    token = "aws:iam/getPolicyDocument:getPolicyDocument"
    answer = functions.call(token, clients, {"statements": [statement]})
    assert json.loads(answer["json"]) == json.loads(answer["minifiedJson"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Assume",
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": "arn"},
                "Condition": {"StringEquals": {"sub": "system:serviceaccount:crypto:b"}},
            }
        ],
    }  # fmt: skip
    with pytest.raises(ProviderError, match="does not merge"):
        functions.call(token, clients, {"sourceJson": "{}"})
    with pytest.raises(ProviderError, match="has no function aws:ec2/getVpc:getVpc"):
        functions.call("aws:ec2/getVpc:getVpc", clients, {})
