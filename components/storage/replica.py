"""A copy of every backup in a second region: what is left when a region, or the key of one, is gone."""

from __future__ import annotations

import pulumi
from pulumi_aws import iam, kms, s3

from components.context import child
from components.storage import documents
from components.storage.backups_lifecycle import lifecycle_rules
from components.storage.bucket import BucketArgs, PrivateBucket
from components.tags import tags
from runbook.settings import Settings


class Replica:
    """The second bucket, with a key of its own region, and the rule that fills it; children of ``parent``."""

    def __init__(
        self,
        name: str,
        source: PrivateBucket,
        source_key_arn: pulumi.Output[str],
        settings: Settings,
        parent: pulumi.Resource,
    ) -> None:
        region = settings.backup.replica_region
        key = kms.Key(
            f"{name}-key",
            description=f"Copies of the backups of {settings.domain}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=tags(settings),
            region=region,
            opts=child(parent, protect=settings.protect, retain_on_delete=settings.protect),
        )
        rules = lifecycle_rules(settings.backup)
        copy = PrivateBucket(
            name, BucketArgs(f"{settings.backup.bucket}-replica", rules, key.arn, region), settings, parent
        )
        copy.set_policy(copy.bucket.arn.apply(documents.tls_only))
        role = self._role(name, source, source_key_arn, copy, key, settings, parent)
        s3.BucketReplicationConfig(
            f"{name}-replication",
            bucket=source.bucket.id,
            role=role.arn,
            rules=[_rule(copy.bucket.arn, key.arn)],
            opts=child(parent, depends_on=[source.versioning, copy.versioning]),
        )

    def _role(
        self,
        name: str,
        source: PrivateBucket,
        source_key_arn: pulumi.Output[str],
        copy: PrivateBucket,
        key: kms.Key,
        settings: Settings,
        parent: pulumi.Resource,
    ) -> iam.Role:
        role = iam.Role(
            f"{name}-role",
            name=f"{settings.backup.bucket}-replication",
            assume_role_policy=documents.trust_s3(),
            tags=tags(settings),
            opts=child(parent),
        )
        iam.RolePolicy(
            f"{name}-role-policy",
            role=role.id,
            policy=pulumi.Output.all(source.bucket.arn, source_key_arn, copy.bucket.arn, key.arn).apply(
                lambda arns: documents.replicate(arns[0], arns[1], arns[2], arns[3])
            ),
            opts=child(parent),
        )
        return role


def _rule(replica_arn: pulumi.Input[str], key_arn: pulumi.Input[str]) -> s3.BucketReplicationConfigRuleArgs:
    encrypted = s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(status="Enabled")
    return s3.BucketReplicationConfigRuleArgs(
        id="copy-backups",
        status="Enabled",
        priority=0,
        filter=s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
        # A deletion stays here: the copy is what a wrong deletion is mended from.
        delete_marker_replication=s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(status="Disabled"),
        source_selection_criteria=s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
            sse_kms_encrypted_objects=encrypted
        ),
        destination=s3.BucketReplicationConfigRuleDestinationArgs(
            bucket=replica_arn,
            storage_class="STANDARD_IA",
            encryption_configuration=s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                replica_kms_key_id=key_arn
            ),
        ),
    )
