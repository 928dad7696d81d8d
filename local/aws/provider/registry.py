"""The resource types by their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from local.aws.provider.errors import ProviderError
from local.aws.provider.model import ResourceType


@cache
def resource_types() -> Mapping[str, ResourceType]:
    """All resource types that the provider knows."""
    from local.aws.provider import iam, kms, s3, s3_settings

    kinds: tuple[ResourceType, ...] = (
        s3.Bucket(),
        s3_settings.BucketLifecycleConfiguration(),
        s3_settings.BucketLogging(),
        s3_settings.BucketObjectLockConfiguration(),
        s3_settings.BucketOwnershipControls(),
        s3_settings.BucketPolicy(),
        s3_settings.BucketPublicAccessBlock(),
        s3_settings.BucketServerSideEncryptionConfiguration(),
        s3_settings.BucketVersioning(),
        kms.Alias(),
        kms.Key(),
        iam.Policy(),
        iam.Role(),
        iam.RolePolicy(),
        iam.RolePolicyAttachment(),
    )
    return {kind.pulumi_type: kind for kind in kinds}


def resource_type(qualified: str) -> ResourceType:
    """The resource type `qualified`; raises ProviderError with those that exist."""
    # Where the URN is all that a call carries, the SDK hands over its qualified type: the parents' types come first.
    pulumi_type = qualified.rpartition("$")[2]
    kind = resource_types().get(pulumi_type)
    if kind is None:
        known = ", ".join(sorted(resource_types()))
        raise ProviderError(
            f"the embedded AWS environment has no {pulumi_type}; it has {known}."
            " Anything else needs the genuine aws plugin"
        )
    return kind
