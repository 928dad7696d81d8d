"""What both stacks promise about the backups' buckets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.storage.bucket import ABORT_UPLOADS_AFTER_DAYS
from runbook import bucket as places
from runbook import bucket_roles, exporters, jobs, practices, settings, thresholds
from runbook.jobs import Need
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import stack_values


def _kind(stack: list[Registered], kind: str, name: str) -> Registered:
    found = [item for item in look.of(stack, kind) if item.name == name]
    assert len(found) == 1, f"{kind} {name}: {len(found)} of them"
    return found[0]


def _policy(stack: list[Registered], kind: str, name: str) -> list[dict[str, Any]]:
    return json.loads(_kind(stack, kind, name).inputs["policy"])["Statement"]


def _subjects(stack: list[Registered], role: str) -> list[str]:
    roles = [item for item in stack if item.token == "aws:iam/role:Role" and item.name == role]
    assert len(roles) == 1
    condition = json.loads(roles[0].inputs["assumeRolePolicy"])["Statement"][0]["Condition"]["StringEquals"]
    found = next(value for key, value in condition.items() if key.endswith(":sub"))
    return [subject.rsplit(":", 1)[1] for subject in found]


@pytest.fixture(scope="module")
def careful_stack() -> list[Registered]:
    """Production with everything that is optional about its backups."""
    values = stack_values("prod")
    values["backup"] = {**values["backup"], "objectLockDays": 7, "replicaRegion": "eu-west-1"}
    chosen = settings.load(values)
    return engine.registered(chosen, "careful")


def test_backups_are_kept_thirty_days_and_broken_uploads_go(stack: list[Registered]) -> None:
    rules = _kind(stack, "BucketLifecycleConfiguration", "backups-lifecycle").inputs["rules"]
    expiry = [(rule["expiration"]["days"], rule["filter"]["and"]["prefix"]) for rule in rules if "expiration" in rule]
    days = thresholds.BACKUP_RETENTION.value
    # Tickets and the reports of drills lie under the same prefix: they stay.
    assert expiry == [(days, f"crypto-analytics/{kind}/") for kind in ("postgres", "redis", "resources")]
    old = [rule["noncurrentVersionExpiration"] for rule in rules if "noncurrentVersionExpiration" in rule]
    assert old == [{"noncurrentDays": days}]
    aborted = [rule["abortIncompleteMultipartUpload"] for rule in rules if "abortIncompleteMultipartUpload" in rule]
    assert aborted == [{"daysAfterInitiation": ABORT_UPLOADS_AFTER_DAYS}]


def test_no_backup_ends_by_its_age_alone_and_neither_does_its_copy(careful_stack: list[Registered]) -> None:
    for name in ("backups-lifecycle", "backups-replica-lifecycle"):
        rules = _kind(careful_stack, "BucketLifecycleConfiguration", name).inputs["rules"]
        ending = [rule for rule in rules if "expiration" in rule]
        assert len(ending) == 3
        assert all(rule["filter"]["and"]["tags"] == {places.SUPERSEDED_TAG: "true"} for rule in ending)
    role = _policy(careful_stack, "RolePolicy", "backups-replica-role-policy")
    assert "s3:ReplicateTags" in [action for statement in role for action in statement["Action"]]


def test_access_logs_are_written_by_s3_alone_and_kept_ninety_days(stack: list[Registered]) -> None:
    logging = _kind(stack, "BucketLogging", "backups-logging").inputs
    assert logging["targetBucket"] == "backups-logs-bucket-id"
    allowed = [item for item in _policy(stack, "BucketPolicy", "backups-logs-policy") if item["Effect"] == "Allow"]
    assert [item["Principal"] for item in allowed] == [{"Service": "logging.s3.amazonaws.com"}]
    rules = _kind(stack, "BucketLifecycleConfiguration", "backups-logs-lifecycle").inputs["rules"]
    assert rules[0]["expiration"]["days"] == practices.ACCESS_LOG_RETENTION.value


def test_every_bucket_is_encrypted_versioned_private_and_speaks_tls_alone(careful_stack: list[Registered]) -> None:
    buckets = {item.name for item in look.of(careful_stack, "Bucket")}
    assert buckets == {"backups-bucket", "backups-logs-bucket", "backups-replica-bucket"}
    for name in (bucket.removesuffix("-bucket") for bucket in buckets):
        rule = _kind(careful_stack, "BucketServerSideEncryptionConfiguration", f"{name}-encryption").inputs["rules"][0]
        algorithm = rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"]
        assert algorithm == ("AES256" if name == "backups-logs" else "aws:kms")
        versioning = _kind(careful_stack, "BucketVersioning", f"{name}-versioning").inputs
        assert versioning["versioningConfiguration"] == {"status": "Enabled"}
        block = _kind(careful_stack, "BucketPublicAccessBlock", f"{name}-public-access-block").inputs
        flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        assert all(block[flag] is True for flag in flags)
        owner = _kind(careful_stack, "BucketOwnershipControls", f"{name}-ownership").inputs["rule"]
        assert owner == {"objectOwnership": "BucketOwnerEnforced"}
        denied = _policy(careful_stack, "BucketPolicy", f"{name}-policy")[0]
        assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_keys_rotate(careful_stack: list[Registered]) -> None:
    assert [item.inputs["enableKeyRotation"] for item in look.of(careful_stack, "Key")] == [True, True]


def test_a_locked_backup_cannot_be_deleted_by_anybody(careful_stack: list[Registered]) -> None:
    lock = _kind(careful_stack, "BucketObjectLockConfiguration", "backups-object-lock").inputs
    assert lock["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 7}}


def test_a_replica_lies_in_its_own_region_with_a_key_of_that_region(careful_stack: list[Registered]) -> None:
    replica = _kind(careful_stack, "Bucket", "backups-replica-bucket").inputs
    key = _kind(careful_stack, "Key", "backups-replica-key").inputs
    assert (replica["region"], key["region"]) == ("eu-west-1", "eu-west-1")
    rule = _kind(careful_stack, "BucketReplicationConfig", "backups-replica-replication").inputs["rules"][0]
    assert rule["destination"]["bucket"] == "arn:aws:test:::backups-replica-bucket"
    assert rule["deleteMarkerReplication"] == {"status": "Disabled"}


def _role_policy(stack: list[Registered], role: str) -> list[dict[str, Any]]:
    return _policy(stack, "RolePolicy", f"backups-{role}-role-policy")


_ROLES = [role.name for role in bucket_roles.ALL]


@pytest.mark.parametrize("role", _ROLES)
def test_a_role_of_the_bucket_reaches_nothing_but_the_stacks_prefix(prod_stack: list[Registered], role: str) -> None:
    statements = _role_policy(prod_stack, role)
    assert {item["Effect"] for item in statements} == {"Allow"}
    actions = {action for item in statements for action in item["Action"]}
    assert not [action for action in actions if "Version" in action or "*" in action]
    for item in statements:
        if item["Sid"] == "List":
            assert item["Resource"] == "arn:aws:test:::backups-bucket"
            assert all(start.startswith("crypto-analytics/") for start in item["Condition"]["StringLike"]["s3:prefix"])
        elif item["Sid"] == "ListUploads":
            assert (item["Resource"], item["Action"]) == (
                "arn:aws:test:::backups-bucket",
                ["s3:ListBucketMultipartUploads"],
            )
        elif item["Sid"] == "UseKey":
            assert item["Resource"] == "arn:aws:test:::backups-key"
        else:
            assert item["Resource"]
            assert all(key.startswith("arn:aws:test:::backups-bucket/crypto-analytics/") for key in item["Resource"])


def test_only_the_pruner_deletes_and_it_writes_nothing(prod_stack: list[Registered]) -> None:
    actions = {role: {a for item in _role_policy(prod_stack, role) for a in item["Action"]} for role in _ROLES}
    assert [role for role, found in actions.items() if "s3:DeleteObject" in found] == ["prune"]
    assert {action for action in actions["prune"] if "Put" in action} == {"s3:PutObjectTagging"}
    assert actions["state"] == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}


def test_no_object_of_a_backup_has_two_writers(prod_stack: list[Registered]) -> None:
    written = [
        key
        for role in _ROLES
        for item in _role_policy(prod_stack, role)
        if "s3:PutObject" in item["Action"]
        for key in item["Resource"]
    ]
    assert len(written) > len(_ROLES)
    assert len(written) == len(set(written))


def test_each_account_that_uses_the_bucket_has_one_role_and_its_annotation_names_it(
    prod_stack: list[Registered],
) -> None:
    subjects = {role: _subjects(prod_stack, f"backups-{role}-role") for role in _ROLES}
    users = [account for accounts in subjects.values() for account in accounts]
    wanted = {job.name for job in jobs.ALL if Need.BUCKET in job.needs} | {exporters.BACKUP_EXPORTER.name}
    assert sorted(users) == sorted(wanted)
    arns = {
        item.inputs["metadata"]["name"]: item.inputs["metadata"]
        .get("annotations", {})
        .get("eks.amazonaws.com/role-arn")
        for item in look.of(prod_stack, "ServiceAccount")
    }
    named = {account: f"arn:aws:test:::backups-{role}-role" for role, found in subjects.items() for account in found}
    assert {account: arn for account, arn in arns.items() if arn is not None} == named


def test_production_protects_and_keeps_what_holds_data(careful_stack: list[Registered]) -> None:
    holders = [*look.of(careful_stack, "Bucket"), *look.of(careful_stack, "Key")]
    assert len(holders) == 5
    assert all(item.protect and item.retain_on_delete for item in holders)
    kinds = ("StatefulSet", "PersistentVolumeClaim", "Namespace")
    in_cluster = [item for kind in kinds for item in look.of(careful_stack, kind)]
    assert {kind for kind in kinds if not look.of(careful_stack, kind)} == set()
    assert all(item.protect for item in in_cluster)
