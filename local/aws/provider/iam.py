"""IAM roles, their inline policies, managed policies and attachments."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, ClassVar

from local.aws.provider.answers import unless_missing
from local.aws.provider.clients import Clients
from local.aws.provider.documents import as_json, meaning
from local.aws.provider.errors import ProviderError
from local.aws.provider.model import Naming, Property, ResourceType
from local.aws.provider.shapes import tag_list, tag_map
from local.aws.provider.values import Values

_MISSING = ("NoSuchEntity",)
_VERSIONS_KEPT_BY_AWS = 5
_DOCUMENT = Property(required=True, normal=meaning, sent=as_json)
_PREFIX = Property(replaces=True, readable=False)


class Role(ResourceType):
    """``aws:iam/role:Role``; its id is its name."""

    pulumi_type = "aws:iam/role:Role"
    properties: ClassVar = {
        "assumeRolePolicy": _DOCUMENT,
        "description": Property(default=""),
        "forceDetachPolicies": Property(default=False, readable=False),
        "maxSessionDuration": Property(default=3600),
        "name": Property(replaces=True),
        "namePrefix": _PREFIX,
        "path": Property(default="/", replaces=True),
        "permissionsBoundary": Property(default=""),
        "tags": Property(default={}),
    }
    computed = ("arn", "createDate", "uniqueId")
    identity = ("name",)
    naming = Naming("name", limit=64, prefix_property="namePrefix")

    def create(self, clients: Clients, inputs: Values) -> str:
        options: Any = {
            "Description": inputs.get("description"),
            "MaxSessionDuration": inputs.get("maxSessionDuration"),
            "Path": inputs.get("path"),
            "PermissionsBoundary": inputs.get("permissionsBoundary"),
            "Tags": tag_list(inputs.get("tags") or {}),
        }
        clients.iam().create_role(
            RoleName=inputs["name"],
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            **{name: value for name, value in options.items() if value},
        )
        return inputs["name"]

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        del known
        iam = clients.iam()
        answer = unless_missing(lambda: iam.get_role(RoleName=resource_id), *_MISSING)
        if answer is None:
            return None
        role: Any = answer["Role"]
        return {
            "arn": role["Arn"],
            "assumeRolePolicy": _text(role.get("AssumeRolePolicyDocument")),
            "createDate": role["CreateDate"].isoformat(),
            "description": role.get("Description", ""),
            "maxSessionDuration": role.get("MaxSessionDuration"),
            "name": role["RoleName"],
            "path": role["Path"],
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "tags": tag_map(iam.list_role_tags(RoleName=resource_id)["Tags"]),
            "uniqueId": role["RoleId"],
        }

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        iam = clients.iam()
        if "assumeRolePolicy" in changed:
            iam.update_assume_role_policy(RoleName=resource_id, PolicyDocument=new["assumeRolePolicy"])
        if {"description", "maxSessionDuration"} & set(changed):
            iam.update_role(
                RoleName=resource_id,
                Description=new.get("description", ""),
                MaxSessionDuration=new.get("maxSessionDuration", self.properties["maxSessionDuration"].default),
            )
        if "permissionsBoundary" in changed and (boundary := new.get("permissionsBoundary")):
            iam.put_role_permissions_boundary(RoleName=resource_id, PermissionsBoundary=boundary)
        elif "permissionsBoundary" in changed:
            iam.delete_role_permissions_boundary(RoleName=resource_id)
        if "tags" in changed:
            _set_role_tags(iam, resource_id, new.get("tags") or {})

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        iam = clients.iam()
        if state.get("forceDetachPolicies") and self.read(clients, resource_id, state) is not None:
            for name in iam.list_role_policies(RoleName=resource_id)["PolicyNames"]:
                iam.delete_role_policy(RoleName=resource_id, PolicyName=name)
            for policy in iam.list_attached_role_policies(RoleName=resource_id)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=resource_id, PolicyArn=policy.get("PolicyArn", ""))
        unless_missing(lambda: iam.delete_role(RoleName=resource_id), *_MISSING)


class RolePolicy(ResourceType):
    """``aws:iam/rolePolicy:RolePolicy``; its id is ``<role>:<name>``."""

    pulumi_type = "aws:iam/rolePolicy:RolePolicy"
    properties: ClassVar = {
        "name": Property(replaces=True),
        "namePrefix": _PREFIX,
        "policy": _DOCUMENT,
        "role": Property(required=True, replaces=True),
    }
    identity = ("role", "name")
    naming = Naming("name", limit=128, prefix_property="namePrefix")

    def create(self, clients: Clients, inputs: Values) -> str:
        resource_id = f"{inputs['role']}:{inputs['name']}"
        self.update(clients, resource_id, inputs, ("policy",))
        return resource_id

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        del known
        role, name = _pair(resource_id, ":", self.pulumi_type, "role:name")
        answer = unless_missing(lambda: clients.iam().get_role_policy(RoleName=role, PolicyName=name), *_MISSING)
        return None if answer is None else {"name": name, "policy": _text(answer["PolicyDocument"]), "role": role}

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        del changed
        role, name = _pair(resource_id, ":", self.pulumi_type, "role:name")
        clients.iam().put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=new["policy"])

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        del state
        role, name = _pair(resource_id, ":", self.pulumi_type, "role:name")
        unless_missing(lambda: clients.iam().delete_role_policy(RoleName=role, PolicyName=name), *_MISSING)


class Policy(ResourceType):
    """``aws:iam/policy:Policy``; its id is its ARN. A change makes a new default version."""

    pulumi_type = "aws:iam/policy:Policy"
    properties: ClassVar = {
        "description": Property(default="", replaces=True),
        "name": Property(replaces=True),
        "namePrefix": _PREFIX,
        "path": Property(default="/", replaces=True),
        "policy": _DOCUMENT,
        "tags": Property(default={}),
    }
    computed = ("arn", "attachmentCount", "policyId")
    identity = ("name",)
    naming = Naming("name", limit=128, prefix_property="namePrefix")

    def create(self, clients: Clients, inputs: Values) -> str:
        options: Any = {
            "Description": inputs.get("description"),
            "Path": inputs.get("path"),
            "Tags": tag_list(inputs.get("tags") or {}),
        }
        answer = clients.iam().create_policy(
            PolicyName=inputs["name"],
            PolicyDocument=inputs["policy"],
            **{name: value for name, value in options.items() if value},
        )
        return answer["Policy"].get("Arn", "")

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        del known
        iam = clients.iam()
        answer = unless_missing(lambda: iam.get_policy(PolicyArn=resource_id), *_MISSING)
        if answer is None:
            return None
        policy: Any = answer["Policy"]
        version = iam.get_policy_version(PolicyArn=resource_id, VersionId=policy["DefaultVersionId"])
        return {
            "arn": policy["Arn"],
            "attachmentCount": policy.get("AttachmentCount", 0),
            "description": policy.get("Description", ""),
            "name": policy["PolicyName"],
            "path": policy["Path"],
            "policy": _text(version["PolicyVersion"].get("Document")),
            "policyId": policy["PolicyId"],
            "tags": tag_map(iam.list_policy_tags(PolicyArn=resource_id)["Tags"]),
        }

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        iam = clients.iam()
        if "policy" in changed:
            others = _other_versions(iam, resource_id)
            if len(others) + 1 >= _VERSIONS_KEPT_BY_AWS:
                iam.delete_policy_version(PolicyArn=resource_id, VersionId=others[0])
            iam.create_policy_version(PolicyArn=resource_id, PolicyDocument=new["policy"], SetAsDefault=True)
        if "tags" in changed:
            _set_policy_tags(iam, resource_id, new.get("tags") or {})

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        del state
        iam = clients.iam()
        for version in unless_missing(lambda: _other_versions(iam, resource_id), *_MISSING) or []:
            iam.delete_policy_version(PolicyArn=resource_id, VersionId=version)
        unless_missing(lambda: iam.delete_policy(PolicyArn=resource_id), *_MISSING)


class RolePolicyAttachment(ResourceType):
    """``aws:iam/rolePolicyAttachment:RolePolicyAttachment``; its id is ``<role>/<policy ARN>``."""

    pulumi_type = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    properties: ClassVar = {
        "policyArn": Property(required=True, replaces=True),
        "role": Property(required=True, replaces=True),
    }
    identity = ("role", "policyArn")

    def create(self, clients: Clients, inputs: Values) -> str:
        clients.iam().attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']}/{inputs['policyArn']}"

    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        del known
        role, arn = _pair(resource_id, "/", self.pulumi_type, "role/policy ARN")
        answer = unless_missing(lambda: clients.iam().list_attached_role_policies(RoleName=role), *_MISSING)
        attached = answer["AttachedPolicies"] if answer is not None else []
        found = any(policy.get("PolicyArn") == arn for policy in attached)
        return {"policyArn": arn, "role": role} if found else None

    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        del clients, resource_id, new, changed
        raise ProviderError(f"{self.pulumi_type} cannot be changed in place")

    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        del state
        role, arn = _pair(resource_id, "/", self.pulumi_type, "role/policy ARN")
        unless_missing(lambda: clients.iam().detach_role_policy(RoleName=role, PolicyArn=arn), *_MISSING)


def _set_role_tags(iam: Any, role: str, wanted: dict[str, str]) -> None:
    present = tag_map(iam.list_role_tags(RoleName=role)["Tags"])
    if unwanted := sorted(present.keys() - wanted.keys()):
        iam.untag_role(RoleName=role, TagKeys=unwanted)
    if wanted:
        iam.tag_role(RoleName=role, Tags=tag_list(wanted))


def _set_policy_tags(iam: Any, arn: str, wanted: dict[str, str]) -> None:
    present = tag_map(iam.list_policy_tags(PolicyArn=arn)["Tags"])
    if unwanted := sorted(present.keys() - wanted.keys()):
        iam.untag_policy(PolicyArn=arn, TagKeys=unwanted)
    if wanted:
        iam.tag_policy(PolicyArn=arn, Tags=tag_list(wanted))


def _other_versions(iam: Any, arn: str) -> list[str]:
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    others = [version for version in versions if not version["IsDefaultVersion"]]
    return [version["VersionId"] for version in sorted(others, key=lambda version: version["CreateDate"])]


def _pair(resource_id: str, separator: str, pulumi_type: str, form: str) -> tuple[str, str]:
    left, found, right = resource_id.partition(separator)
    if not (left and found and right):
        raise ProviderError(f"the id {resource_id!r} of {pulumi_type} is not of the form {form}")
    return left, right


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
