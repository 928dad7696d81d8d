"""Rules about the buckets that hold backups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from policies import kinds
from policies.index import StackIndex, refers
from policies.model import (
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    Severity,
    among,
    decide,
    expect,
    expect_equal,
    expect_some,
    undecided,
)
from policies.plain import MISSING, Node
from policies.selection import tally
from policies.values import whole
from runbook import bucket as places
from runbook import thresholds
from runbook.sections import Section

_ALGORITHMS: Final = ("aws:kms", "aws:kms:dsse", "AES256")
_PUBLIC_ACCESS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_COMPANIONS: Final = {
    kinds.BUCKET_ENCRYPTION: "BucketServerSideEncryptionConfiguration",
    kinds.BUCKET_VERSIONING: "BucketVersioning",
    kinds.BUCKET_PUBLIC_ACCESS: "BucketPublicAccessBlock",
    kinds.BUCKET_LIFECYCLE: "BucketLifecycleConfiguration",
}
_RETENTION: Final = thresholds.BACKUP_RETENTION


def _encryption(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    rules = resource.at("rules")
    yield expect_some(rules, "at least one rule")
    for rule in rules.elements():
        algorithm = rule.at("applyServerSideEncryptionByDefault", "sseAlgorithm")
        yield expect(algorithm, lambda value: value in _ALGORITHMS, " or ".join(_ALGORITHMS))


def _versioning(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    yield expect_equal(resource.at("versioningConfiguration", "status"), "Enabled")


def _public_access(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for key in _PUBLIC_ACCESS:
        yield expect_equal(resource.at(key), True)


def _retention(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    least = cast("int", parameters["days"])
    rules = [rule for rule in resource.at("rules").elements() if rule.at("status").value != "Disabled"]
    for rule in rules:
        if rule.at("expiration").present:
            yield from _expiration(rule.at("expiration"), least)
    yield _some(rules, ("expiration", "days"), f"an enabled rule that expires after {least} days or more")
    abort = ("abortIncompleteMultipartUpload", "daysAfterInitiation")
    yield _some(rules, abort, "an enabled rule that aborts unfinished uploads")


def _expiration(expiration: Node, least: int) -> Iterable[Judgement]:
    days, allowed = expiration.at("days"), f"{least} days or more"
    if expiration.at("expiredObjectDeleteMarker").value is not True or days.present:
        yield expect(days, lambda value: whole(value) >= least, allowed)
    # A fixed date deletes every object on that day, however young.
    yield expect(expiration.at("date"), lambda value: value is MISSING, f"no date, but {allowed}")


def _some(rules: list[Node], keys: tuple[str, ...], allowed: str) -> Judgement:
    places = [(rule.at("status"), rule.at(*keys)) for rule in rules]
    found = any(status.value == "Enabled" and _above_zero(node) for status, node in places)
    unsure = any(status.unknown or node.unknown for status, node in places)
    return decide(among(found, unsure=unsure), "rules", "without one", allowed)


def _above_zero(node: Node) -> bool:
    return isinstance(node.value, int) and node.value > 0


def _spared(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("rules").elements():
        if rule.at("status").value != "Disabled" and rule.at("expiration", "days").present:
            yield _only_superseded(rule)


def _only_superseded(rule: Node) -> Judgement:
    """An age is no reason to end a backup: the tag says that a newer one restores."""
    filters, path = rule.at("filter"), f"{rule.path}.filter"
    allowed = (
        f"only what is tagged {places.SUPERSEDED_TAG}={places.SUPERSEDED_VALUE}, or a folder that holds no backups"
    )
    prefixes = [filters.at("prefix"), filters.at("and", "prefix"), rule.at("prefix")]
    tags = [filters.at("and", "tags", places.SUPERSEDED_TAG), filters.at("tag", "value")]
    if any(tag.value == places.SUPERSEDED_VALUE for tag in tags):
        return decide(True, path, "tagged", allowed)
    if any(node.unknown for node in (filters, *prefixes, *tags)):
        return undecided(path, allowed)
    prefix = next((node.text for node in prefixes if node.text), "")
    backups = not prefix or any(kind in prefix.split("/") for kind in places.BACKUP_KINDS)
    return decide(not backups, path, f"everything under {prefix!r}", allowed)


def _companions(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for bucket in index.of(kinds.BUCKET):
        for kind, name in _COMPANIONS.items():
            yield bucket, _has_companion(index, bucket, kind, name)


def _has_companion(index: StackIndex, bucket: Resource, kind: str, name: str) -> Judgement:
    verdicts = [
        refers(other, other.at("bucket"), bucket, bucket.at("bucket")) for other in index.attached(kind, bucket)
    ]
    return decide(tally(verdicts).any, f"its {name}", "missing", f"a {name} of this bucket")


# Controls of public frameworks that ask for the same.
_REFERENCES: Final = {
    "bucket-encryption": "AWS FSBP S3.17",
    "bucket-versioning": "AWS FSBP S3.14",
    "bucket-public-access": "CIS AWS 2.1.4; AWS FSBP S3.1",
    "bucket-retention": "AWS FSBP S3.13",
}


def _meta(name: str, description: str, remediation: str, *parameters: Parameter, waivable: bool = True) -> Meta:
    return Meta(
        name,
        description,
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        remediation,
        parameters=parameters,
        waivable=waivable,
        reference=_REFERENCES.get(name, ""),
    )


RULES: Final = (
    _meta(
        "bucket-encryption",
        "Backups are encrypted where they lie.",
        "Set rules[].applyServerSideEncryptionByDefault.sseAlgorithm to aws:kms or AES256.",
    ).of_resource(kinds.one_of(kinds.BUCKET_ENCRYPTION), _encryption),
    _meta(
        "bucket-versioning",
        "An overwritten or deleted backup can be brought back.",
        "Set versioningConfiguration.status to Enabled.",
    ).of_resource(kinds.one_of(kinds.BUCKET_VERSIONING), _versioning),
    _meta(
        "bucket-public-access",
        "Backups are never public.",
        f"Set {', '.join(_PUBLIC_ACCESS)} to true.",
        waivable=False,
    ).of_resource(kinds.one_of(kinds.BUCKET_PUBLIC_ACCESS), _public_access),
    _meta(
        "bucket-retention",
        "Backups are kept as long as the runbook promises, and unfinished uploads are not.",
        "Give the lifecycle an enabled rule with expiration.days and abortIncompleteMultipartUpload; none shorter.",
        Parameter("days", {"type": "integer", "minimum": _RETENTION.count}, _RETENTION.count),
    ).of_resource(kinds.one_of(kinds.BUCKET_LIFECYCLE), _retention),
    _meta(
        "bucket-spares-what-restores",
        "No backup ends by its age alone: the newest that is proven stays, however old it is.",
        "Filter the rule by the tag that `ops backups prune` sets (filter.and.tags superseded: true).",
    ).of_resource(kinds.one_of(kinds.BUCKET_LIFECYCLE), _spared),
    _meta(
        "bucket-fully-configured",
        "Every bucket states its encryption, versioning, public access block and lifecycle.",
        "Declare the missing resource with this bucket as its bucket.",
    ).of_stack(_companions),
)
