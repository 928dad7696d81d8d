"""The S3 bucket itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from local.aws.provider.answers import code_of, unless_missing
from local.aws.provider.clients import Clients
from local.aws.provider.errors import ProviderError
from local.aws.provider.model import Naming, Property, ResourceType
from local.aws.provider.shapes import tag_list, tag_map
from local.aws.provider.values import Values

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ATTEMPTS = 3
_MISSING = ("NoSuchBucket", "404")
_HOSTED_ZONES = {
    "eu-central-1": "Z21DNDUVLTQW6Q",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-west-2": "Z3BJ6K6RIION7M",
}


class Bucket(ResourceType):
    """``aws:s3/bucket:Bucket``; what used to be nested in it (versioning, acl ...) has resource types of its own."""

    pulumi_type = "aws:s3/bucket:Bucket"
    properties: ClassVar = {
        "bucket": Property(replaces=True),
        "bucketPrefix": Property(replaces=True, readable=False),
        "forceDestroy": Property(default=False, readable=False),
        "objectLockEnabled": Property(default=False, replaces=True),
        "region": Property(decided_by_aws=True, replaces=True),
        "tags": Property(default={}),
    }
    computed = ("arn", "bucketDomainName", "bucketRegion", "bucketRegionalDomainName", "hostedZoneId")
    identity = ("bucket",)
    naming = Naming("bucket", limit=63, prefix_property="bucketPrefix", lower=True)

    def create(self, clients: Clients, inputs: Values) -> str:
        s3, name, region = clients.s3(inputs["region"]), inputs["bucket"], inputs["region"]
        if self.read(clients, name, inputs) is not None:
            raise ProviderError(f"a bucket named {name} exists already: import it or choose another name")
        options: Any = {"ObjectLockEnabledForBucket": bool(inputs.get("objectLockEnabled"))}
        if region != "us-east-1":
            options["CreateBucketConfiguration"] = {"LocationConstraint": region}
        s3.create_bucket(Bucket=name, **options)
        try:
            _tag(s3, name, inputs)
        except BaseException:
            s3.delete_bucket(Bucket=name)
            raise
        return name

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        s3 = clients.s3(known.get("region"))
        location = unless_missing(lambda: s3.get_bucket_location(Bucket=resource_id), *_MISSING)
        if location is None:
            return None
        region = location.get("LocationConstraint") or "us-east-1"
        tags = unless_missing(lambda: s3.get_bucket_tagging(Bucket=resource_id), "NoSuchTagSet")
        lock = unless_missing(
            lambda: s3.get_object_lock_configuration(Bucket=resource_id), "ObjectLockConfigurationNotFoundError"
        )
        return {
            "arn": f"arn:aws:s3:::{resource_id}",
            "bucket": resource_id,
            "bucketDomainName": f"{resource_id}.s3.amazonaws.com",
            "bucketRegion": region,
            "bucketRegionalDomainName": f"{resource_id}.s3.{region}.amazonaws.com",
            "hostedZoneId": _HOSTED_ZONES.get(region),
            "objectLockEnabled": lock is not None,
            "region": region,
            "tags": tag_map(tags["TagSet"]) if tags else {},
        }

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        if "tags" in changed:
            _tag(clients.s3(new.get("region")), resource_id, new)

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        s3 = clients.s3(state.get("region"))
        if self.read(clients, resource_id, state) is None:
            return
        force = bool(state.get("forceDestroy"))
        # A job that is on its way may write once more: what it leaves goes with the next attempt.
        for _ in range(_ATTEMPTS if force else 1):
            if force:
                _empty(s3, resource_id)
            if _deleted(s3, resource_id):
                return
        raise ProviderError(
            f"the bucket {resource_id} is not empty: empty it, or set forceDestroy=True and run `pulumi up` first"
        )


def _deleted(s3: S3Client, bucket: str) -> bool:
    try:
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if code_of(error) != "BucketNotEmpty":
            raise
        return False
    return True


def _tag(s3: S3Client, bucket: str, inputs: Values) -> None:
    tags: dict[str, str] = inputs.get("tags") or {}
    if tags:
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_list(tags)})  # type: ignore[typeddict-item] - plain dicts, of the right shape
    else:
        s3.delete_bucket_tagging(Bucket=bucket)


def _empty(s3: S3Client, bucket: str) -> None:
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload.get("Key", ""), UploadId=upload.get("UploadId", ""))
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        for entry in found:
            s3.delete_object(
                Bucket=bucket,
                Key=entry.get("Key", ""),
                VersionId=entry.get("VersionId", "null"),
                BypassGovernanceRetention=True,
            )
