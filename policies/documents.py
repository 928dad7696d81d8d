"""Rules about the policy documents of AWS: who may do what, in JSON (section 5.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, cast

from policies import kinds
from policies.index import StackIndex, refers
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, undecided
from policies.plain import Node, Plain, show, to_plain
from policies.selection import tally
from runbook.sections import Section

_PLACES: Final = {
    kinds.IAM_POLICY: "policy",
    kinds.IAM_ROLE_POLICY: "policy",
    kinds.BUCKET_POLICY: "policy",
    kinds.IAM_ROLE: "assumeRolePolicy",
}


def _statements(document: Node) -> list[Node] | None:
    """The statements of a document; None where it cannot be read."""
    value = document.value
    if isinstance(value, str):
        try:
            value = to_plain(cast("object", json.loads(value)))
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    statements = Node(value).at("Statement")
    return [statements] if isinstance(statements.value, dict) else list(statements.elements())


def _texts(node: Node) -> list[Plain]:
    return [each.value for each in node.elements()] if isinstance(node.value, list) else [node.value]


def _no_wildcards(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    place = resource.at(_PLACES[resource.kind])
    statements = _statements(place)
    if place.unknown:
        yield undecided(place.path, "statements that name actions and resources")
        return
    if statements is None:
        yield decide(False, place.path, "unreadable", "a policy document in JSON")
        return
    for statement in statements:
        if statement.at("Effect").value == "Allow":
            where = f"{place.path}, statement {show(statement.at('Sid').value)}"
            yield from _named(statement, where)


def _named(statement: Node, where: str) -> Iterable[Judgement]:
    for action in _texts(statement.at("Action")):
        wild = not isinstance(action, str) or action.partition(":")[2] in ("", "*")
        yield decide(not wild, f"{where}, Action", show(action), "actions by name, like s3:PutObject")
    for resource in _texts(statement.at("Resource")):
        yield decide(resource != "*", f"{where}, Resource", show(resource), "resources by name")
    principal = statement.at("Principal")
    for who in (*_texts(principal), *_texts(principal.at("AWS"))):
        yield decide(who != "*", f"{where}, Principal", show(who), "somebody, and not everybody")


def _tls_only(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for bucket in index.of(kinds.BUCKET):
        path, allowed = "its BucketPolicy", "one that denies s3:* where aws:SecureTransport is false"
        own = [each for each in index.attached(kinds.BUCKET_POLICY, bucket) if _of(each, bucket) is not False]
        verdicts = [None if _of(each, bucket) is None else _denies_plaintext(each.at("policy")) for each in own]
        yield bucket, decide(tally(verdicts).any, path, "without it" if own else "missing", allowed)


def _of(policy: Resource, bucket: Resource) -> bool | None:
    return refers(policy, policy.at("bucket"), bucket, bucket.at("bucket"))


def _denies_plaintext(document: Node) -> bool | None:
    if document.hidden:
        return None
    return any(_denies(statement) for statement in _statements(document) or ())


def _denies(statement: Node) -> bool:
    insecure = statement.at("Condition", "Bool", "aws:SecureTransport").value in ("false", False)
    everybody = "*" in (statement.at("Principal").value, statement.at("Principal", "AWS").value)
    everything = bool({"s3:*", "*"} & {text for text in _texts(statement.at("Action")) if isinstance(text, str)})
    return statement.at("Effect").value == "Deny" and insecure and everybody and everything


RULES: Final = (
    Meta(
        "iam-no-wildcards",
        "A policy of AWS allows named actions on named things to somebody.",
        Severity.CRITICAL,
        Section.ACCESS_REVIEW,
        "Write out the actions and the resources, and name the principal.",
        waivable=False,
        reference="CIS AWS 1.16; AWS FSBP IAM.1, IAM.21",
    ).of_resource(kinds.one_of(*_PLACES), _no_wildcards),
    Meta(
        "bucket-tls-only",
        "A bucket answers only what is encrypted on its way.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Declare a BucketPolicy that denies s3:* to everybody where aws:SecureTransport is false.",
        waivable=False,
        reference="CIS AWS 2.1.1; AWS FSBP S3.5",
    ).of_stack(_tls_only),
)
