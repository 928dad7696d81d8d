"""Rules about the policy documents of AWS: who may do what, in JSON (section 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from policies import kinds, statements
from policies.index import StackIndex, refers
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect, undecided
from policies.plain import MISSING, SECRET, UNKNOWN, Node, Plain, show
from policies.selection import tally
from policies.statements import Statement
from runbook.sections import Section


class _Use(Enum):
    """What a policy is attached to, which says what its statements have to name."""

    # A user, a group or a role: its statements name no principal.
    HOLDER = auto()
    # A role, for those who may become it: its statements name no resource.
    TRUST = auto()
    # Many things, named by their ARNs.
    THINGS = auto()
    # One thing: `*` is that thing, and its own account gives it to whom it wants.
    ONE_THING = auto()


class _Place(NamedTuple):
    """Where a kind of resource has a policy document; ``needed``: AWS has no default for it."""

    keys: tuple[str, ...]
    use: _Use
    needed: bool = False


def _one(kind: str, key: str = "policy", use: _Use = _Use.ONE_THING) -> tuple[str, tuple[_Place, ...]]:
    return kind, (_Place((key,), use),)


_PLACES: Final = {
    kinds.IAM_POLICY: (_Place(("policy",), _Use.HOLDER, needed=True),),
    kinds.IAM_ROLE_POLICY: (_Place(("policy",), _Use.HOLDER, needed=True),),
    "aws:iam/UserPolicy": (_Place(("policy",), _Use.HOLDER, needed=True),),
    "aws:iam/GroupPolicy": (_Place(("policy",), _Use.HOLDER, needed=True),),
    "aws:ssoadmin/PermissionSetInlinePolicy": (_Place(("inlinePolicy",), _Use.HOLDER, needed=True),),
    kinds.IAM_ROLE: (_Place(("assumeRolePolicy",), _Use.TRUST, needed=True),),
    kinds.BUCKET_POLICY: (_Place(("policy",), _Use.THINGS, needed=True),),
    kinds.BUCKET: (_Place(("policy",), _Use.THINGS),),
    **dict(
        (
            _one("aws:s3/AccessPoint", use=_Use.THINGS),
            _one("aws:s3control/AccessPointPolicy", use=_Use.THINGS),
            _one("aws:s3control/BucketPolicy", use=_Use.THINGS),
            _one("aws:s3control/ObjectLambdaAccessPointPolicy", use=_Use.THINGS),
            _one("aws:s3tables/TableBucketPolicy", "resourcePolicy", _Use.THINGS),
            _one("aws:cloudwatch/LogResourcePolicy", "policyDocument", _Use.THINGS),
            _one("aws:cloudwatch/EventBusPolicy", use=_Use.THINGS),
            _one("aws:glue/ResourcePolicy", use=_Use.THINGS),
            _one("aws:iot/Policy", use=_Use.HOLDER),
            _one(kinds.KMS_KEY),
            _one("aws:kms/KeyPolicy"),
            _one("aws:kms/ExternalKey"),
            _one("aws:kms/ReplicaKey"),
            _one("aws:kms/ReplicaExternalKey"),
            _one("aws:sqs/Queue"),
            _one("aws:sqs/QueuePolicy"),
            _one("aws:sns/Topic"),
            _one("aws:sns/TopicPolicy"),
            _one("aws:ecr/RegistryPolicy"),
            _one("aws:ecr/RepositoryPolicy"),
            _one("aws:ecrpublic/RepositoryPolicy"),
            _one("aws:secretsmanager/Secret"),
            _one("aws:secretsmanager/SecretPolicy"),
            _one("aws:efs/FileSystemPolicy"),
            _one("aws:backup/VaultPolicy"),
            _one("aws:glacier/Vault", "accessPolicy"),
            _one("aws:dynamodb/ResourcePolicy"),
            _one("aws:kinesis/ResourcePolicy"),
            _one("aws:msk/ClusterPolicy"),
            _one("aws:lambda/FunctionPolicy"),
            _one("aws:elasticsearch/Domain", "accessPolicies"),
            _one("aws:elasticsearch/DomainPolicy", "accessPolicies"),
            _one("aws:opensearch/Domain", "accessPolicies"),
            _one("aws:opensearch/DomainPolicy", "accessPolicies"),
            _one("aws:apigateway/RestApi"),
            _one("aws:apigateway/RestApiPolicy"),
            _one("aws:ses/IdentityPolicy"),
            _one("aws:codeartifact/DomainPermissions", "policyDocument"),
            _one("aws:codeartifact/RepositoryPermissionsPolicy", "policyDocument"),
            _one("aws:acmpca/Policy"),
            _one("aws:cloudwatch/LogDestinationPolicy", "accessPolicy"),
        )
    ),
}
# Where AWS' own policies, or others, are attached by their ARN.
_ATTACHED: Final = {
    "aws:iam/RolePolicyAttachment": "policyArn",
    "aws:iam/UserPolicyAttachment": "policyArn",
    "aws:iam/GroupPolicyAttachment": "policyArn",
    "aws:iam/PolicyAttachment": "policyArn",
    "aws:iam/RolePolicyAttachmentsExclusive": "policyArns",
    "aws:iam/UserPolicyAttachmentsExclusive": "policyArns",
    "aws:iam/GroupPolicyAttachmentsExclusive": "policyArns",
    "aws:ssoadmin/ManagedPolicyAttachment": "managedPolicyArn",
    kinds.IAM_ROLE: "managedPolicyArns",
}
# AWS' own policies for people that allow every action of a service, or of all; those of services are for their roles.
_BROAD: Final = re.compile(
    r"arn:[a-z-]+:iam::aws:policy/(?!service-role/|aws-service-role/)"
    r".*(Admin|PowerUser|FullAccess|ReadWrite|DataScientist).*"
)
# A right that is given by properties, and the properties of which one narrows "everybody".
_GRANTS: Final = {
    "aws:lambda/Permission": ("sourceAccount", "sourceArn", "principalOrgId"),
    "aws:lambda/LayerVersionPermission": ("organizationId",),
    "aws:cloudwatch/EventPermission": ("condition",),
}
_WRITTEN_OUT: Final = "actions by name, like s3:PutObject"
_SOMEBODY: Final = "somebody, and not everybody"
_BY_NAME: Final = "resources by name"


def _no_wildcards(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for place, use in _documents(resource):
        yield from _judged(place, use)
    if resource.kind in _ATTACHED:
        yield from _attached(resource.at(_ATTACHED[resource.kind]))
    if resource.kind in _GRANTS:
        yield from _granted(resource, _GRANTS[resource.kind])


def _documents(resource: Resource) -> Iterator[tuple[Node, _Use]]:
    for keys, use, needed in _PLACES.get(resource.kind, ()):
        place = resource.at(*keys)
        if needed or place.value not in (MISSING, ""):
            yield place, use
    if resource.kind == kinds.IAM_ROLE:
        for inline in resource.at("inlinePolicies").elements():
            if inline.at("policy").present:
                yield inline.at("policy"), _Use.HOLDER


def _judged(place: Node, use: _Use) -> Iterable[Judgement]:
    found = statements.statements(place)
    if place.unknown:
        yield undecided(place.path, "statements that name actions and resources")
        return
    if found is None:
        yield decide(False, place.path, "unreadable", "a policy document in JSON")
        return
    for statement in found:
        where = f"{place.path}, statement {statement.label}"
        if statement.effect is UNKNOWN:
            yield undecided(where, "statements that name actions and resources")
        elif statement.effect == statements.ALLOW:
            yield from _named(statement, where, use)


def _named(statement: Statement, where: str, use: _Use) -> Iterable[Judgement]:
    yield from _actions(statement, f"{where}, Action", use)
    if use in (_Use.HOLDER, _Use.THINGS):
        yield from _resources(statement, f"{where}, Resource")
    if use is not _Use.HOLDER:
        yield from _principals(statement, f"{where}, Principal")


def _actions(statement: Statement, where: str, use: _Use) -> Iterable[Judgement]:
    left_out = statement.get("notaction")
    if left_out is not MISSING:
        yield decide(False, where, "all but those of NotAction", _WRITTEN_OUT)
        return
    if use is _Use.ONE_THING and all(map(statements.account_itself, statement.callers)) and statement.callers:
        return
    for action in statement.values("action") or (MISSING,):
        named = None if action is UNKNOWN else isinstance(action, str) and statements.names_action(action)
        yield decide(named, where, show(action), _WRITTEN_OUT)


def _resources(statement: Statement, where: str) -> Iterable[Judgement]:
    if statement.get("notresource") is not MISSING:
        yield decide(False, where, "all but those of NotResource", _BY_NAME)
        return
    actions = statement.values("action")
    unscoped = actions != () and all(
        isinstance(action, str) and statements.takes_only_all(action) for action in actions
    )
    excused = None if UNKNOWN in actions else unscoped or statements.limits_things(statement)
    for resource in statement.values("resource"):
        named = isinstance(resource, str) and statements.names_resource(resource)
        yield decide(None if resource is UNKNOWN else named or excused, where, show(resource), _BY_NAME)


def _principals(statement: Statement, where: str) -> Iterable[Judgement]:
    limited = statements.limits_callers(statement)
    if statement.get("notprincipal") is not MISSING:
        yield decide(limited, where, "everybody but those of NotPrincipal", _SOMEBODY)
    for caller in statement.callers:
        open_to_all = statements.everybody(caller) or caller is SECRET
        yield decide(None if caller is UNKNOWN else not open_to_all or limited, where, show(caller), _SOMEBODY)
        if statements.of_many_tenants(caller):
            allowed = "one subject of that issuer, by a condition on its claims"
            yield decide(statements.limits_claims(statement), where, show(caller), allowed)


def _attached(place: Node) -> Iterable[Judgement]:
    for each in place.elements() if isinstance(place.value, list) else (place,):
        if each.present:
            yield expect(each, _not_broad, "a policy that names its actions, or one of AWS for a single task")


def _not_broad(value: Plain) -> bool:
    return isinstance(value, str) and _BROAD.fullmatch(value) is None


def _granted(resource: Resource, narrowing: tuple[str, ...]) -> Iterable[Judgement]:
    caller, limits = resource.at("principal"), [resource.at(key) for key in narrowing]
    narrow = any(limit.value not in (MISSING, "") and not limit.unknown for limit in limits)
    if statements.everybody(caller.value) and not narrow and any(limit.unknown for limit in limits):
        yield undecided(caller.path, _SOMEBODY)
    else:
        yield expect(caller, lambda value: narrow or not statements.everybody(value), _SOMEBODY)


def _tls_only(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for bucket in index.of(kinds.BUCKET):
        path, allowed = "its BucketPolicy", f"one that denies s3:* on {_EVERYTHING} where aws:SecureTransport is false"
        own = [each for each in index.attached(kinds.BUCKET_POLICY, bucket) if _of(each, bucket) is not False]
        verdicts = [
            None
            if _of(each, bucket) is None
            else _denies_plaintext(each.at("policy"), _names(each, bucket), linked=bucket.urn in _linked(each))
            for each in own
        ]
        if bucket.at("policy").present:
            verdicts.append(_denies_plaintext(bucket.at("policy"), _names(bucket)))
        found = "without it" if verdicts else "missing"
        yield bucket, decide(tally(verdicts).any, path, found, allowed)


def _of(policy: Resource, bucket: Resource) -> bool | None:
    return refers(policy, policy.at("bucket"), bucket, bucket.at("bucket"))


def _names(*resources: Resource) -> frozenset[str]:
    """What a bucket is known as: its name, or an identifier of it."""
    return frozenset(each.at("bucket").text or "" for each in resources) - {""}


_EVERYTHING: Final = "the bucket and all its objects"
# Requests that stand for all: of actions that S3 has and of any other, about the bucket and about any object.
_REQUESTS: Final = (
    ("s3:ListBucket", ""),
    ("s3:AnyOfTheBucket", ""),
    ("s3:GetObject", "/any/object"),
    ("s3:PutObject", "/any/object"),
    ("s3:AnyOfAnObject", "/another"),
)
_PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")


def _linked(policy: Resource) -> tuple[str, ...]:
    return policy.links.get("bucket", ())


def _denies_plaintext(document: Node, names: frozenset[str], *, linked: bool = False) -> bool | None:
    """Whether every request without TLS is refused by some statement; None while that is not yet known.

    Of a policy that was computed from the bucket (``linked``), and of a bucket without a known name, the ARN is the one
    that the statements write out.
    """
    if document.hidden:
        return None
    found = statements.statements(document) or []
    arns = {f"arn:{partition}:s3:::{name}" for partition in _PARTITIONS for name in names}
    if linked or not names:
        arns |= {value for each in found for value in each.values("resource") if isinstance(value, str)}
    if any(_refuses_all(found, arn) for arn in arns):
        return True
    return None if not names or any(map(statements.unknown_in, found)) else False


def _refuses_all(found: list[Statement], arn: str) -> bool:
    return all(
        any(statements.refuses(each, action, arn + below, _in_plaintext) for each in found)
        for action, below in _REQUESTS
    )


def _in_plaintext(operator: str, key: str, value: Plain) -> bool:
    """Whether a request without TLS meets a part of a condition."""
    asked = operator.removeprefix("foranyvalue:").removeprefix("forallvalues:").removesuffix("ifexists")
    return key == "aws:securetransport" and asked == "bool" and str(value).lower() == "false"


# The kinds that hold statements, or name policies that do.
KINDS: Final = frozenset((*_PLACES, *_ATTACHED, *_GRANTS))

RULES: Final = (
    Meta(
        "iam-no-wildcards",
        "A policy of AWS allows named actions on named things to somebody.",
        Severity.CRITICAL,
        Section.ACCESS_REVIEW,
        "Write out the actions and the resources, and name the principal or limit it by a condition.",
        reference="CIS AWS 1.16; AWS FSBP IAM.1, IAM.21",
    ).of_resource(kinds.one_of(*sorted(KINDS)), _no_wildcards),
    Meta(
        "bucket-tls-only",
        "A bucket answers only what is encrypted on its way.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Declare a BucketPolicy that denies s3:* to everybody, on the bucket and its objects, "
        "where aws:SecureTransport is false.",
        waivable=False,
        reference="CIS AWS 2.1.1; AWS FSBP S3.5",
    ).of_stack(_tls_only),
)
