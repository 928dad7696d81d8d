"""The settings of an S3 bucket that are resource types of their own; the id of each is the bucket's name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from local.aws.provider.answers import unless_missing
from local.aws.provider.clients import Clients
from local.aws.provider.documents import as_json, meaning
from local.aws.provider.model import Property, ResourceType
from local.aws.provider.shapes import compact, from_api, tag_list, tag_map, to_api
from local.aws.provider.values import Values

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUCKET = Property(required=True, replaces=True)
_REGION = Property(decided_by_aws=True, replaces=True)
_NESTED = Property(required=True, normal=compact)


class BucketSetting(ResourceType):
    """One setting: put whole, read whole, removed whole."""

    missing: ClassVar[tuple[str, ...]] = ()
    """The error codes with which S3 says that the bucket has no such setting."""
    identity = ("bucket",)

    @abstractmethod
    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        """Set it to `inputs`."""

    @abstractmethod
    def show(self, s3: S3Client, bucket: str) -> Values | None:
        """The setting as it is, or None when S3 answers that there is none without an error."""

    @abstractmethod
    def remove(self, s3: S3Client, bucket: str) -> None:
        """Bring the bucket back to how it is without the setting."""

    def create(self, clients: Clients, inputs: Values) -> str:
        self.put(clients.s3(inputs.get("region")), inputs["bucket"], inputs)
        return inputs["bucket"]

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        region = known.get("region") or clients.connection.region
        found = unless_missing(lambda: self.show(clients.s3(region), resource_id), "NoSuchBucket", *self.missing)
        return None if found is None else {"bucket": resource_id, "region": region, **found}

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        del changed
        self.put(clients.s3(new.get("region")), resource_id, new)

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        if not state.get("skipDestroy"):
            s3 = clients.s3(state.get("region"))
            unless_missing(lambda: self.remove(s3, resource_id), "NoSuchBucket", *self.missing)


class BucketVersioning(BucketSetting):
    pulumi_type = "aws:s3/bucketVersioning:BucketVersioning"
    properties: ClassVar = {"bucket": _BUCKET, "region": _REGION, "versioningConfiguration": _NESTED}

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=to_api(inputs["versioningConfiguration"]))

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        status = s3.get_bucket_versioning(Bucket=bucket).get("Status")
        return {"versioningConfiguration": {"status": status}} if status else None

    def remove(self, s3: S3Client, bucket: str) -> None:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


class BucketServerSideEncryptionConfiguration(BucketSetting):
    pulumi_type = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    properties: ClassVar = {"bucket": _BUCKET, "region": _REGION, "rules": _NESTED}
    missing = ("ServerSideEncryptionConfigurationNotFoundError",)

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        configuration: Any = {"Rules": to_api(inputs["rules"])}
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration)

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        answer = s3.get_bucket_encryption(Bucket=bucket)
        return {"rules": from_api(answer["ServerSideEncryptionConfiguration"]["Rules"])}

    def remove(self, s3: S3Client, bucket: str) -> None:
        s3.delete_bucket_encryption(Bucket=bucket)


class BucketPublicAccessBlock(BucketSetting):
    pulumi_type = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    properties: ClassVar = {
        "bucket": _BUCKET,
        "region": _REGION,
        "blockPublicAcls": Property(default=False),
        "blockPublicPolicy": Property(default=False),
        "ignorePublicAcls": Property(default=False),
        "restrictPublicBuckets": Property(default=False),
        "skipDestroy": Property(default=False, readable=False),
    }
    missing = ("NoSuchPublicAccessBlockConfiguration",)
    _switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        switches: Any = to_api({name: bool(inputs.get(name)) for name in self._switches})
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=switches)

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        return from_api(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"])

    def remove(self, s3: S3Client, bucket: str) -> None:
        s3.delete_public_access_block(Bucket=bucket)


class BucketOwnershipControls(BucketSetting):
    pulumi_type = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    properties: ClassVar = {"bucket": _BUCKET, "region": _REGION, "rule": _NESTED}
    missing = ("OwnershipControlsNotFoundError",)

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        controls: Any = {"Rules": [to_api(inputs["rule"])]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        return {"rule": from_api(rules[0])} if rules else None

    def remove(self, s3: S3Client, bucket: str) -> None:
        s3.delete_bucket_ownership_controls(Bucket=bucket)


class BucketPolicy(BucketSetting):
    pulumi_type = "aws:s3/bucketPolicy:BucketPolicy"
    properties: ClassVar = {
        "bucket": _BUCKET,
        "region": _REGION,
        "policy": Property(required=True, normal=meaning, sent=as_json),
    }
    missing = ("NoSuchBucketPolicy",)

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        s3.put_bucket_policy(Bucket=bucket, Policy=inputs["policy"])

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        return {"policy": s3.get_bucket_policy(Bucket=bucket)["Policy"]}

    def remove(self, s3: S3Client, bucket: str) -> None:
        s3.delete_bucket_policy(Bucket=bucket)


class BucketLifecycleConfiguration(BucketSetting):
    pulumi_type = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    properties: ClassVar = {
        "bucket": _BUCKET,
        "region": _REGION,
        "rules": _NESTED,
        "transitionDefaultMinimumObjectSize": Property(decided_by_aws=True),
    }
    missing = ("NoSuchLifecycleConfiguration",)

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        options: Any = {}
        if size := inputs.get("transitionDefaultMinimumObjectSize"):
            options["TransitionDefaultMinimumObjectSize"] = size
        rules: Any = [_rule_to_api(rule) for rule in inputs["rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules}, **options)

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        return {
            "rules": [_rule_from_api(rule) for rule in answer["Rules"]],
            "transitionDefaultMinimumObjectSize": answer.get("TransitionDefaultMinimumObjectSize"),
        }

    def remove(self, s3: S3Client, bucket: str) -> None:
        s3.delete_bucket_lifecycle(Bucket=bucket)


class BucketObjectLockConfiguration(BucketSetting):
    pulumi_type = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
    properties: ClassVar = {
        "bucket": _BUCKET,
        "region": _REGION,
        "objectLockEnabled": Property(default="Enabled", replaces=True),
        "rule": Property(normal=compact),
    }
    missing = ("ObjectLockConfigurationNotFoundError",)

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        configuration: Any = {"ObjectLockEnabled": "Enabled", **to_api({"rule": inputs.get("rule")})}
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        answer: Any = s3.get_object_lock_configuration(Bucket=bucket).get("ObjectLockConfiguration", {})
        return {"objectLockEnabled": answer.get("ObjectLockEnabled"), "rule": from_api(answer.get("Rule"))}

    def remove(self, s3: S3Client, bucket: str) -> None:
        # S3 cannot turn the lock of a bucket off again; what can be removed is its default retention.
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


class BucketLogging(BucketSetting):
    pulumi_type = "aws:s3/bucketLogging:BucketLogging"
    properties: ClassVar = {
        "bucket": _BUCKET,
        "region": _REGION,
        "targetBucket": Property(required=True),
        "targetPrefix": Property(required=True),
    }

    def put(self, s3: S3Client, bucket: str, inputs: Values) -> None:
        target: Any = to_api({name: inputs[name] for name in ("targetBucket", "targetPrefix")})
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": target})

    def show(self, s3: S3Client, bucket: str) -> Values | None:
        enabled = s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
        if not enabled:
            return None
        return {"targetBucket": enabled["TargetBucket"], "targetPrefix": enabled["TargetPrefix"]}

    def remove(self, s3: S3Client, bucket: str) -> None:
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})


def _rule_to_api(rule: Values) -> Any:
    filter_: Values = dict(rule.get("filter") or {})
    combined: Values | None = filter_.pop("and", None)
    answer = to_api({**rule, "filter": filter_})
    if combined is not None:
        tags: dict[str, str] = combined.get("tags") or {}
        conditions = to_api({name: value for name, value in combined.items() if name != "tags"})
        answer["Filter"]["And"] = {**conditions, **({"Tags": tag_list(tags)} if tags else {})}
    if "prefix" in rule and "filter" not in rule:
        del answer["Filter"]
    return answer


def _rule_from_api(rule: Any) -> Values:
    combined = rule.get("Filter", {}).get("And")
    answer: Values = from_api(rule)
    if combined is not None and "Tags" in combined:
        answer["filter"]["and"]["tags"] = tag_map(combined["Tags"])
    return answer
