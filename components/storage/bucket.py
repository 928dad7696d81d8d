"""A private bucket: versioned, encrypted, closed to the public, and cleaned up by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_aws import s3

from components.context import child
from components.tags import tags
from runbook.settings import Settings

# An upload that was broken off is paid for until somebody aborts it; no upload of ours takes a week.
ABORT_UPLOADS_AFTER_DAYS: Final = 7

LifecycleRule = s3.BucketLifecycleConfigurationRuleArgs


def expire(rule_id: str, prefix: str, days: int, tagged: Mapping[str, str] | None = None) -> LifecycleRule:
    """Objects under the prefix, or those of them that are ``tagged`` so, end after so many days."""
    filters = s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=prefix)
    if tagged is not None:
        both = s3.BucketLifecycleConfigurationRuleFilterAndArgs(prefix=prefix, tags=dict(tagged))
        filters = s3.BucketLifecycleConfigurationRuleFilterArgs(and_=both)
    return LifecycleRule(
        id=rule_id,
        status="Enabled",
        filter=filters,
        expiration=s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
    )


def end_old_versions(prefix: str, days: int) -> LifecycleRule:
    """What was deleted or overwritten can be brought back for so many days."""
    return LifecycleRule(
        id="end-old-versions",
        status="Enabled",
        filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=prefix),
        noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=days
        ),
    )


def abort_incomplete_uploads() -> LifecycleRule:
    """Uploads that were broken off end after a week."""
    return LifecycleRule(
        id="abort-incomplete-uploads",
        status="Enabled",
        filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=ABORT_UPLOADS_AFTER_DAYS
        ),
    )


@dataclass(frozen=True, slots=True)
class BucketArgs:
    """A bucket. ``key_arn`` None: S3's own key, where a writer cannot use ours. ``region`` None: the provider's."""

    bucket: str
    lifecycle: Sequence[LifecycleRule]
    key_arn: pulumi.Input[str] | None
    region: str | None = None


def encryption_rule(args: BucketArgs) -> s3.BucketServerSideEncryptionConfigurationRuleArgs:
    """Encryption by the key, with S3's cache of data keys; or by S3's own."""
    default = s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="aws:kms" if args.key_arn is not None else "AES256", kms_master_key_id=args.key_arn
    )
    return s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=default,
        bucket_key_enabled=True if args.key_arn is not None else None,
    )


class PrivateBucket:
    """The bucket and its settings, as children of ``parent`` and named after ``name``; not a component of its own."""

    def __init__(self, name: str, args: BucketArgs, settings: Settings, parent: pulumi.Resource) -> None:
        self._name, self._args, self._parent = name, args, parent
        self.bucket = s3.Bucket(
            f"{name}-bucket",
            bucket=args.bucket,
            force_destroy=settings.backup.force_destroy,
            tags=tags(settings),
            region=args.region,
            opts=child(parent, protect=settings.protect, retain_on_delete=settings.protect),
        )
        self.versioning = s3.BucketVersioning(
            f"{name}-versioning",
            bucket=self.bucket.id,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            region=args.region,
            opts=child(parent),
        )
        s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=self.bucket.id,
            rules=[encryption_rule(args)],
            region=args.region,
            opts=child(parent),
        )
        self.closed = self._close()
        s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=self.bucket.id,
            rules=list(args.lifecycle),
            region=args.region,
            # S3 refuses rules about old versions of a bucket that has none.
            opts=child(parent, depends_on=[self.versioning]),
        )

    def _close(self) -> s3.BucketPublicAccessBlock:
        s3.BucketOwnershipControls(
            f"{self._name}-ownership",
            bucket=self.bucket.id,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            region=self._args.region,
            opts=child(self._parent),
        )
        return s3.BucketPublicAccessBlock(
            f"{self._name}-public-access-block",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            region=self._args.region,
            opts=child(self._parent),
        )

    def set_policy(self, document: pulumi.Input[str]) -> s3.BucketPolicy:
        """The bucket's own policy. After the public access block: AWS answers 409 when both are set at once."""
        return s3.BucketPolicy(
            f"{self._name}-policy",
            bucket=self.bucket.id,
            policy=document,
            region=self._args.region,
            opts=child(self._parent, depends_on=[self.closed]),
        )
