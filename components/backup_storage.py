"""The backup bucket: versioned, encrypted, private, and cleaned up by itself (section 5.1)."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
from pulumi_aws import iam, kms, s3

from components.context import Context, child
from components.labels import PART_OF
from runbook import schedules
from runbook.sections import Section
from runbook.settings import BackupSettings, Settings

_SECTION = Section.DATABASE_BACKUP
# An upload that was broken off is paid for until somebody aborts it; no upload of ours takes a week.
ABORT_UPLOADS_AFTER_DAYS = 7


def tags(settings: Settings) -> dict[str, str]:
    """Tags of AWS resources: the same facts as the labels in Kubernetes."""
    return {
        "Owner": settings.owner,
        "Environment": settings.environment_name,
        "Project": PART_OF,
        "Runbook": _SECTION.link,
    }


def lifecycle_rules(backup: BackupSettings) -> list[s3.BucketLifecycleConfigurationRuleArgs]:
    """Backups end with the retention, old versions with them, and broken uploads after a week."""
    return [
        s3.BucketLifecycleConfigurationRuleArgs(
            id="expire-backups",
            status="Enabled",
            filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=backup.prefix),
            expiration=s3.BucketLifecycleConfigurationRuleExpirationArgs(days=backup.retention_days),
            noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                noncurrent_days=backup.retention_days
            ),
        ),
        s3.BucketLifecycleConfigurationRuleArgs(
            id="abort-incomplete-uploads",
            status="Enabled",
            filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
            abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                days_after_initiation=ABORT_UPLOADS_AFTER_DAYS
            ),
        ),
    ]


def tls_only_policy(bucket_arn: str) -> str:
    """A bucket policy that refuses every request that is not encrypted on its way."""
    statement = {
        "Sid": "RefusePlaintext",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust_policy(oidc_provider_arn: str, namespace: str, accounts: Sequence[str]) -> str:
    """Who may become the backup role: these service accounts of this namespace, by their cluster's tokens."""
    issuer = oidc_provider_arn.split("oidc-provider/", 1)[1]
    subjects = [f"system:serviceaccount:{namespace}:{account}" for account in accounts]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": oidc_provider_arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subjects}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def access_policy(bucket_arn: str, key_arn: str, prefix: str) -> str:
    """What the job may do: write and read under its prefix, with its key. It may not delete a backup."""
    statements = [
        {
            "Sid": "WriteAndReadBackups",
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            "Resource": f"{bucket_arn}/{prefix}*",
        },
        {
            "Sid": "ListBackups",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": bucket_arn,
            "Condition": {"StringLike": {"s3:prefix": f"{prefix}*"}},
        },
        {
            "Sid": "UseKey",
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": key_arn,
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class BackupStorage(pulumi.ComponentResource):
    """Bucket, key and role of the backups. ``role_arn`` is None where pods get no IAM role (no OIDC provider)."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:storage:BackupStorage", name, None, opts)
        settings = context.settings
        keep = child(self, protect=settings.protect, retain_on_delete=settings.protect)
        self.key = kms.Key(
            f"{name}-key",
            description=f"Backups of {settings.domain}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=tags(settings),
            opts=keep,
        )
        kms.Alias(
            f"{name}-key-alias",
            name=f"alias/{settings.backup.bucket}",
            target_key_id=self.key.key_id,
            opts=child(self),
        )
        self.bucket = s3.Bucket(
            f"{name}-bucket",
            bucket=settings.backup.bucket,
            force_destroy=settings.backup.force_destroy,
            tags=tags(settings),
            opts=keep,
        )
        self._protect_content(name, settings)
        self.role_arn = self._role(name, settings) if settings.aws.oidc_provider_arn else None
        self.register_outputs({"bucket": self.bucket.bucket, "keyArn": self.key.arn})

    def _protect_content(self, name: str, settings: Settings) -> None:
        bucket = self.bucket.id
        s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=child(self),
        )
        s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket,
            rules=[
                s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="aws:kms", kms_master_key_id=self.key.arn
                    ),
                    bucket_key_enabled=True,
                )
            ],
            opts=child(self),
        )
        block = s3.BucketPublicAccessBlock(
            f"{name}-public-access-block",
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child(self),
        )
        s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=child(self),
        )
        s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle", bucket=bucket, rules=lifecycle_rules(settings.backup), opts=child(self)
        )
        s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket,
            policy=self.bucket.arn.apply(tls_only_policy),
            # AWS answers 409 when both are set at once.
            opts=child(self, depends_on=[block]),
        )

    def _role(self, name: str, settings: Settings) -> pulumi.Output[str]:
        accounts = [schedules.BACKUP_POSTGRES.name, schedules.HEALTH_CHECK.name]
        role = iam.Role(
            f"{name}-role",
            name=f"{settings.backup.bucket}-writer",
            assume_role_policy=trust_policy(settings.aws.oidc_provider_arn or "", settings.namespace, accounts),
            tags=tags(settings),
            opts=child(self),
        )
        iam.RolePolicy(
            f"{name}-role-policy",
            role=role.id,
            policy=pulumi.Output.all(self.bucket.arn, self.key.arn).apply(
                lambda arns: access_policy(arns[0], arns[1], settings.backup.prefix)
            ),
            opts=child(self),
        )
        return role.arn
