"""Where backups go: a bucket with its key, a bucket for its access logs, and the roles of the jobs (section 5.1)."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_aws import iam, kms, s3

from components.context import Context, child
from components.storage import documents
from components.storage.backups_lifecycle import lifecycle_rules
from components.storage.bucket import (
    BucketArgs,
    PrivateBucket,
    abort_incomplete_uploads,
    end_old_versions,
    expire,
    tags,
)
from components.storage.replica import Replica
from runbook import bucket_roles, practices
from runbook.bucket_roles import BucketRole
from runbook.settings import Settings

_LOGS: Final = "s3/"


class BackupStorage(pulumi.ComponentResource):
    """Buckets, key and roles of the backups."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:storage:BackupStorage", name, None, opts)
        settings = context.settings
        self.key = self._key(name, settings)
        arguments = BucketArgs(settings.backup.bucket, lifecycle_rules(settings.backup), self.key.arn)
        backups = PrivateBucket(name, arguments, settings, self)
        backups.set_policy(backups.bucket.arn.apply(documents.tls_only))
        self.bucket = backups.bucket
        self._lock(name, settings, backups)
        self._log_access(name, settings)
        if settings.backup.replica_region is not None:
            Replica(f"{name}-replica", backups, self.key.arn, settings, self)
        self._roles = {role.name: self._role(f"{name}-{role.name}", role, settings) for role in bucket_roles.ALL}
        self.register_outputs({"bucket": self.bucket.bucket, "keyArn": self.key.arn})

    def role_arn(self, account: str) -> pulumi.Output[str] | None:
        """The role of a service account.

        None where it does not use the bucket, or where pods get no IAM role (no OIDC provider).
        """
        role = bucket_roles.of(account)
        return None if role is None else self._roles[role.name]

    def _key(self, name: str, settings: Settings) -> kms.Key:
        key = kms.Key(
            f"{name}-key",
            description=f"Backups of {settings.domain}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=tags(settings),
            opts=child(self, protect=settings.protect, retain_on_delete=settings.protect),
        )
        kms.Alias(
            f"{name}-key-alias",
            name=f"alias/{settings.backup.bucket}",
            target_key_id=key.key_id,
            opts=child(self),
        )
        return key

    def _lock(self, name: str, settings: Settings, backups: PrivateBucket) -> None:
        """Object lock: in these days nobody deletes or overwrites a version, whatever credentials were taken."""
        days = settings.backup.object_lock_days
        if days == 0:
            return
        retention = s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(mode="COMPLIANCE", days=days)
        s3.BucketObjectLockConfiguration(
            f"{name}-object-lock",
            bucket=backups.bucket.id,
            rule=s3.BucketObjectLockConfigurationRuleArgs(default_retention=retention),
            opts=child(self, depends_on=[backups.versioning]),
        )

    def _log_access(self, name: str, settings: Settings) -> None:
        """Who read or deleted a backup. S3 delivers logs only where its own key encrypts."""
        days = practices.ACCESS_LOG_RETENTION.count
        rules = [expire("expire-logs", _LOGS, days), end_old_versions("", days), abort_incomplete_uploads()]
        arguments = BucketArgs(f"{settings.backup.bucket}-logs", rules, key_arn=None)
        logs = PrivateBucket(f"{name}-logs", arguments, settings, self)
        policy = logs.set_policy(
            pulumi.Output.all(logs.bucket.arn, self.bucket.arn).apply(
                lambda arns: documents.access_logs(arns[0], arns[1])
            )
        )
        s3.BucketLogging(
            f"{name}-logging",
            bucket=self.bucket.id,
            target_bucket=logs.bucket.id,
            target_prefix=_LOGS,
            opts=child(self, depends_on=[policy]),
        )

    def _role(self, name: str, role: BucketRole, settings: Settings) -> pulumi.Output[str] | None:
        provider = settings.aws.oidc_provider_arn
        if provider is None:
            return None
        made = iam.Role(
            f"{name}-role",
            name=f"{settings.backup.bucket}-{role.name}",
            assume_role_policy=documents.trust_accounts(provider, settings.namespace, role.accounts),
            tags=tags(settings),
            opts=child(self),
        )
        iam.RolePolicy(
            f"{name}-role-policy",
            role=made.id,
            policy=pulumi.Output.all(self.bucket.arn, self.key.arn).apply(
                lambda arns: documents.bucket_role(role, arns[0], arns[1], settings.backup.prefix)
            ),
            opts=child(self),
        )
        return made.arn
