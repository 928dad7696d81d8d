"""Each resource type of the stand-in provider: how it is made, changed, drifts and is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.aws.provider.values import Values

BUCKET = "crypto-backups"
SEED = bytes.fromhex("0123456789abcdef")
TRUST: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/cluster"},
        }
    ],
}

TRUST_EVERY_POD = {"Version": "2012-10-17", "Statement": [{**TRUST["Statement"][0], "Sid": "EveryPod"}]}


def grant(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


@dataclass(frozen=True)
class Life:
    """One resource type: what it is made with, what it is changed to in place, and how it drifts."""

    name: str
    inputs: Values
    changed: Values | None
    drift: Callable[[Any, str], object]
    """Changes it behind the provider's back, given the endpoint and its id."""
    replaced_by: str = "bucket"
    """An input whose change replaces it."""
    import_id: str | None = None


IN_BUCKET = {"bucket": BUCKET}
RULE = {
    "id": "expire-backups",
    "status": "Enabled",
    "filter": {"prefix": "crypto-analytics/"},
    "expiration": {"days": 30},
    "noncurrentVersionExpiration": {"noncurrentDays": 30},
    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
}
TAGGED_RULE = {
    "id": "tagged",
    "status": "Disabled",
    "filter": {"and": {"prefix": "p/", "tags": {"kind": "full", "tier": "cold"}}},
    "transitions": [{"days": 30, "storageClass": "GLACIER"}],
}
KMS_RULE = {
    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "alias/backups"},
    "bucketKeyEnabled": True,
}
CLOSED = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)

LIVES = [
    Life(
        "aws:s3/bucket:Bucket",
        {"bucket": "crypto-other", "tags": {"a": "b"}, "forceDestroy": False},
        {"bucket": "crypto-other", "tags": {"a": "c"}, "forceDestroy": True},
        lambda e, i: e.client("s3").put_bucket_tagging(Bucket=i, Tagging={"TagSet": [{"Key": "x", "Value": "y"}]}),
    ),
    Life(
        "aws:s3/bucketVersioning:BucketVersioning",
        {**IN_BUCKET, "versioningConfiguration": {"status": "Enabled"}},
        {**IN_BUCKET, "versioningConfiguration": {"status": "Suspended"}},
        lambda e, i: e.client("s3").put_bucket_versioning(Bucket=i, VersioningConfiguration={"Status": "Suspended"}),
    ),
    Life(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {**IN_BUCKET, "rules": [KMS_RULE]},
        {**IN_BUCKET, "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        lambda e, i: e.client("s3").put_bucket_encryption(
            Bucket=i,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
    ),
    Life(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {**IN_BUCKET, **CLOSED},
        {**IN_BUCKET, **CLOSED, "ignorePublicAcls": False},
        lambda e, i: e.client("s3").put_public_access_block(
            Bucket=i, PublicAccessBlockConfiguration={"BlockPublicAcls": False}
        ),
    ),
    Life(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        {**IN_BUCKET, "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {**IN_BUCKET, "rule": {"objectOwnership": "ObjectWriter"}},
        lambda e, i: e.client("s3").put_bucket_ownership_controls(
            Bucket=i, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
    ),
    Life(
        "aws:s3/bucketPolicy:BucketPolicy",
        {**IN_BUCKET, "policy": json.dumps(grant("s3:GetObject"), indent=4)},
        {**IN_BUCKET, "policy": grant("s3:PutObject")},
        lambda e, i: e.client("s3").put_bucket_policy(Bucket=i, Policy=json.dumps(grant("s3:*"))),
    ),
    Life(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {**IN_BUCKET, "rules": [RULE, TAGGED_RULE]},
        {**IN_BUCKET, "rules": [{**RULE, "expiration": {"days": 31}}]},
        lambda e, i: e.client("s3").put_bucket_lifecycle_configuration(
            Bucket=i,
            LifecycleConfiguration={
                "Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "y"}, "Expiration": {"Days": 1}}]
            },
        ),
    ),
    Life(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        {"bucket": "crypto-locked", "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 1}}},
        {"bucket": "crypto-locked", "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 2}}},
        lambda e, i: e.client("s3").put_object_lock_configuration(
            Bucket=i, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        ),
    ),
    Life(
        "aws:s3/bucketLogging:BucketLogging",
        {**IN_BUCKET, "targetBucket": "crypto-logs", "targetPrefix": "s3/"},
        {**IN_BUCKET, "targetBucket": "crypto-logs", "targetPrefix": "access/"},
        lambda e, i: e.client("s3").put_bucket_logging(
            Bucket=i, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "crypto-logs", "TargetPrefix": "x/"}}
        ),
    ),
    Life(
        "aws:kms/key:Key",
        {"description": "backups", "enableKeyRotation": True, "deletionWindowInDays": 7, "tags": {"a": "b"}},
        {"description": "all backups", "enableKeyRotation": False, "isEnabled": False, "tags": {"c": "d"}},
        lambda e, i: e.client("kms").disable_key_rotation(KeyId=i),
        replaced_by="keyUsage",
    ),
    Life(
        "aws:kms/alias:Alias",
        {"name": "alias/other", "targetKeyId": "<key>"},
        {"name": "alias/other", "targetKeyId": "<key 2>"},
        lambda e, i: e.client("kms").update_alias(
            AliasName=i, TargetKeyId=e.client("kms").create_key()["KeyMetadata"]["KeyId"]
        ),
        replaced_by="name",
    ),
    Life(
        "aws:iam/role:Role",
        {"name": "backup", "assumeRolePolicy": json.dumps(TRUST, indent=1), "tags": {"a": "b"}},
        {
            "name": "backup",
            "assumeRolePolicy": TRUST_EVERY_POD,
            "description": "writes backups",
            "maxSessionDuration": 7200,
            "tags": {"c": "d"},
        },
        lambda e, i: e.client("iam").tag_role(RoleName=i, Tags=[{"Key": "x", "Value": "y"}]),
        replaced_by="path",
    ),
    Life(
        "aws:iam/rolePolicy:RolePolicy",
        {"name": "write", "role": "base", "policy": json.dumps(grant("s3:PutObject"))},
        {"name": "write", "role": "base", "policy": grant("s3:GetObject")},
        lambda e, _: e.client("iam").put_role_policy(
            RoleName="base", PolicyName="write", PolicyDocument=json.dumps(grant("s3:*"))
        ),
        replaced_by="role",
    ),
    Life(
        "aws:iam/policy:Policy",
        {"name": "shared", "policy": json.dumps(grant("s3:PutObject")), "tags": {"a": "b"}},
        {"name": "shared", "policy": grant("s3:GetObject"), "tags": {"c": "d"}},
        lambda e, i: e.client("iam").create_policy_version(
            PolicyArn=i, PolicyDocument=json.dumps(grant("s3:*")), SetAsDefault=True
        ),
        replaced_by="description",
    ),
    Life(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        {"role": "base", "policyArn": "<policy>"},
        None,
        lambda e, i: e.client("iam").detach_role_policy(RoleName="base", PolicyArn=i.partition("/")[2]),
        replaced_by="role",
    ),
]
CHANGEABLE = [life for life in LIVES if life.changed is not None]
