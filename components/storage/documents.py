"""Policy documents of AWS: who may do what, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runbook.bucket_roles import BucketRole


def _document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _refuse_plaintext(bucket_arn: str) -> dict[str, Any]:
    return {
        "Sid": "RefusePlaintext",
        "Effect": "Deny",
        # The same as "*", in the form that every reader of policies understands.
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def tls_only(bucket_arn: str) -> str:
    """A bucket policy that refuses every request that is not encrypted on its way."""
    return _document(_refuse_plaintext(bucket_arn))


def access_logs(logs_arn: str, source_arn: str) -> str:
    """The log bucket's policy: S3 itself may write the logs of that one bucket, and nobody else writes."""
    return _document(
        _refuse_plaintext(logs_arn),
        {
            "Sid": "ReceiveAccessLogs",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"{logs_arn}/*",
            "Condition": {"ArnLike": {"aws:SourceArn": source_arn}},
        },
    )


def trust_accounts(oidc_provider_arn: str, namespace: str, accounts: Sequence[str]) -> str:
    """Who may become a role: these service accounts of this namespace, by their cluster's tokens."""
    issuer = oidc_provider_arn.split("oidc-provider/", 1)[1]
    subjects = [f"system:serviceaccount:{namespace}:{account}" for account in accounts]
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": oidc_provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subjects}},
        }
    )


def trust_s3() -> str:
    """S3 itself may become the role: for replication."""
    return _document(
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"},
    )


def bucket_role(role: BucketRole, bucket_arn: str, key_arn: str, prefix: str) -> str:
    """What a role may do: see the names and use the keys of its table, below the prefix and with the bucket's key.

    A deleted object comes back until the lifecycle ends its version: the bucket is versioned.
    """
    using = ["kms:Decrypt"]
    # S3 decrypts the parts of an upload when it puts them together.
    using += ["kms:GenerateDataKey"] if role.uploads or role.writes else []
    rights = {
        "Read": (role.reads, ["s3:GetObject"]),
        "Write": ((*role.uploads, *role.writes), ["s3:PutObject"]),
        "EndUploads": (role.uploads, ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]),
        "End": (
            role.ends,
            # What is locked, or on legal hold, is asked for before it is deleted.
            [
                "s3:GetObjectRetention",
                "s3:GetObjectLegalHold",
                "s3:GetObjectTagging",
                "s3:PutObjectTagging",
                "s3:DeleteObject",
            ],
        ),
    }
    objects = (
        {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [f"{bucket_arn}/{prefix}{key}" for key in keys]}
        for sid, (keys, actions) in rights.items()
        if keys
    )
    names = {
        "Sid": "List",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": bucket_arn,
        "Condition": {"StringLike": {"s3:prefix": [f"{prefix}{start}*" for start in role.lists]}},
    }
    # Uploads that a killed run left behind are found by listing them. MinIO refuses a condition on a prefix for it.
    unfinished = {
        "Sid": "ListUploads",
        "Effect": "Allow",
        "Action": ["s3:ListBucketMultipartUploads"],
        "Resource": bucket_arn,
    }
    key = {"Sid": "UseKey", "Effect": "Allow", "Action": using, "Resource": key_arn}
    return _document(names, *([unfinished] if role.uploads else []), *objects, key)


def replicate(source_arn: str, source_key_arn: str, replica_arn: str, replica_key_arn: str) -> str:
    """What S3 needs to copy every new version from one bucket to the other."""
    return _document(
        {
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
            "Resource": source_arn,
        },
        {
            "Effect": "Allow",
            "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
            "Resource": f"{source_arn}/*",
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ReplicateObject", "s3:ReplicateTags"],
            "Resource": f"{replica_arn}/*",
        },
        {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": source_key_arn},
        {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:GenerateDataKey"], "Resource": replica_key_arn},
    )
