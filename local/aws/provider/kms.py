"""KMS keys and aliases."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from local.aws.provider.answers import unless_missing
from local.aws.provider.clients import Clients
from local.aws.provider.documents import as_json, meaning
from local.aws.provider.model import Naming, Property, ResourceType
from local.aws.provider.values import Values

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_MISSING = ("NotFoundException",)
_ALIAS_PREFIX = "alias/"
_DEFAULT_DELETION_WINDOW_DAYS = 30


class Key(ResourceType):
    """``aws:kms/key:Key``; deleting it schedules the deletion, after which it counts as gone."""

    pulumi_type = "aws:kms/key:Key"
    properties: ClassVar = {
        "bypassPolicyLockoutSafetyCheck": Property(default=False, readable=False),
        "customerMasterKeySpec": Property(default="SYMMETRIC_DEFAULT", replaces=True),
        "deletionWindowInDays": Property(default=_DEFAULT_DELETION_WINDOW_DAYS, readable=False),
        "description": Property(decided_by_aws=True),
        "enableKeyRotation": Property(default=False),
        "isEnabled": Property(default=True),
        "keyUsage": Property(default="ENCRYPT_DECRYPT", replaces=True),
        "multiRegion": Property(default=False, replaces=True),
        "policy": Property(decided_by_aws=True, normal=meaning, sent=as_json),
        "region": Property(decided_by_aws=True, replaces=True),
        "rotationPeriodInDays": Property(decided_by_aws=True),
        "tags": Property(default={}),
    }
    computed = ("arn", "keyId")

    def create(self, clients: Clients, inputs: Values) -> str:
        kms = clients.kms(inputs["region"])
        options: Any = {
            "Description": inputs.get("description"),
            "KeySpec": inputs.get("customerMasterKeySpec"),
            "KeyUsage": inputs.get("keyUsage"),
            "MultiRegion": inputs.get("multiRegion"),
            "Policy": inputs.get("policy"),
            "Tags": _tag_list(inputs.get("tags") or {}),
        }
        answer = kms.create_key(**{name: value for name, value in options.items() if value})
        key_id = answer["KeyMetadata"]["KeyId"]
        try:
            _set_rotation(kms, key_id, inputs)
            _set_enabled(kms, key_id, inputs)
        except BaseException:
            kms.schedule_key_deletion(KeyId=key_id)
            raise
        return key_id

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        region = known.get("region") or clients.connection.region
        kms = clients.kms(region)
        answer = unless_missing(lambda: kms.describe_key(KeyId=resource_id), *_MISSING)
        if answer is None or answer["KeyMetadata"].get("KeyState") in ("PendingDeletion", "PendingReplicaDeletion"):
            return None
        key = answer["KeyMetadata"]
        symmetric = key.get("KeySpec") == "SYMMETRIC_DEFAULT"
        rotation: Any = kms.get_key_rotation_status(KeyId=resource_id) if symmetric else {}
        rotates = bool(rotation.get("KeyRotationEnabled"))
        return {
            "arn": key.get("Arn"),
            "customerMasterKeySpec": key.get("KeySpec"),
            "description": key.get("Description"),
            "enableKeyRotation": rotates,
            "isEnabled": key.get("KeyState") == "Enabled",
            "keyId": key["KeyId"],
            "keyUsage": key.get("KeyUsage"),
            "multiRegion": bool(key.get("MultiRegion")),
            "policy": kms.get_key_policy(KeyId=resource_id, PolicyName="default").get("Policy"),
            "region": region,
            "rotationPeriodInDays": rotation.get("RotationPeriodInDays") if rotates else None,
            "tags": {
                tag["TagKey"]: tag["TagValue"]
                for page in kms.get_paginator("list_resource_tags").paginate(KeyId=resource_id)
                for tag in page["Tags"]
            },
        }

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        kms = clients.kms(new.get("region"))
        if "isEnabled" in changed and new.get("isEnabled", True):
            kms.enable_key(KeyId=resource_id)
        if "description" in changed:
            kms.update_key_description(KeyId=resource_id, Description=new.get("description", ""))
        if "policy" in changed:
            kms.put_key_policy(KeyId=resource_id, PolicyName="default", Policy=new["policy"])
        if {"enableKeyRotation", "rotationPeriodInDays"} & set(changed):
            _set_rotation(kms, resource_id, new)
        if "tags" in changed:
            _set_tags(kms, resource_id, new.get("tags") or {})
        # AWS refuses most changes of a disabled key, so that disabling comes last.
        if "isEnabled" in changed:
            _set_enabled(kms, resource_id, new)

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        kms = clients.kms(state.get("region"))
        if self.read(clients, resource_id, state) is not None:
            days = state.get("deletionWindowInDays") or _DEFAULT_DELETION_WINDOW_DAYS
            kms.schedule_key_deletion(KeyId=resource_id, PendingWindowInDays=days)


class Alias(ResourceType):
    """``aws:kms/alias:Alias``; its id is its name, ``alias/...``."""

    pulumi_type = "aws:kms/alias:Alias"
    properties: ClassVar = {
        "name": Property(replaces=True),
        "namePrefix": Property(replaces=True, readable=False),
        "region": Property(decided_by_aws=True, replaces=True),
        "targetKeyId": Property(required=True, normal=lambda key: str(key).rpartition("/")[2]),
    }
    computed = ("arn", "targetKeyArn")
    identity = ("name",)
    naming = Naming("name", limit=256, prefix_property="namePrefix", prefix=_ALIAS_PREFIX)

    def create(self, clients: Clients, inputs: Values) -> str:
        clients.kms(inputs["region"]).create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        return inputs["name"]

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        region = known.get("region") or clients.connection.region
        pages = clients.kms(region).get_paginator("list_aliases").paginate()
        found = [entry for page in pages for entry in page["Aliases"] if entry.get("AliasName") == resource_id]
        if not found:
            return None
        arn, target = found[0].get("AliasArn", ""), found[0].get("TargetKeyId", "")
        return {
            "arn": arn,
            "name": resource_id,
            "region": region,
            "targetKeyArn": f"{arn.partition(':alias/')[0]}:key/{target}",
            "targetKeyId": target,
        }

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        if "targetKeyId" in changed:
            clients.kms(new.get("region")).update_alias(AliasName=resource_id, TargetKeyId=new["targetKeyId"])

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        kms = clients.kms(state.get("region"))
        unless_missing(lambda: kms.delete_alias(AliasName=resource_id), *_MISSING)


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": name, "TagValue": value} for name, value in sorted(tags.items())]


def _set_tags(kms: KMSClient, key_id: str, wanted: dict[str, str]) -> None:
    present = {tag["TagKey"] for tag in kms.list_resource_tags(KeyId=key_id)["Tags"]}
    if unwanted := sorted(present - wanted.keys()):
        kms.untag_resource(KeyId=key_id, TagKeys=unwanted)
    if wanted:
        tags: Any = _tag_list(wanted)
        kms.tag_resource(KeyId=key_id, Tags=tags)


def _set_rotation(kms: KMSClient, key_id: str, inputs: Values) -> None:
    if inputs.get("enableKeyRotation"):
        options: Any = {"RotationPeriodInDays": inputs.get("rotationPeriodInDays")}
        kms.enable_key_rotation(KeyId=key_id, **{name: value for name, value in options.items() if value})
    elif inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT":
        kms.disable_key_rotation(KeyId=key_id)


def _set_enabled(kms: KMSClient, key_id: str, inputs: Values) -> None:
    if inputs.get("isEnabled", True) is False:
        kms.disable_key(KeyId=key_id)
