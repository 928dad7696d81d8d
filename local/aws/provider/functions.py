"""The functions that a program may call: who am I, where am I, and building a policy document."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from local.aws.provider.clients import Clients
from local.aws.provider.errors import ProviderError
from local.aws.provider.values import Values

_LISTS = {"actions": "Action", "notActions": "NotAction", "resources": "Resource", "notResources": "NotResource"}
_MERGING = ("sourceJson", "overrideJson", "sourcePolicyDocuments", "overridePolicyDocuments")


def call(token: str, clients: Clients, arguments: Values) -> Values:
    """The result of the function `token`; raises ProviderError when there is no such function."""
    function = _FUNCTIONS.get(token)
    if function is None:
        known = ", ".join(sorted(_FUNCTIONS))
        raise ProviderError(f"the embedded AWS environment has no function {token}; it has {known}")
    return function(clients, arguments)


def _caller_identity(clients: Clients, _arguments: Values) -> Values:
    answer = clients.sts().get_caller_identity()
    account = answer["Account"]
    return {"accountId": account, "arn": answer["Arn"], "id": account, "userId": answer["UserId"]}


def _region(clients: Clients, arguments: Values) -> Values:
    name = arguments.get("region") or arguments.get("name") or clients.connection.region
    endpoint = f"ec2.{name}.amazonaws.com"
    return {"description": name, "endpoint": endpoint, "id": name, "name": name, "region": name}


def _partition(_clients: Clients, _arguments: Values) -> Values:
    return {"dnsSuffix": "amazonaws.com", "id": "aws", "partition": "aws", "reverseDnsPrefix": "com.amazonaws"}


def _policy_document(_clients: Clients, arguments: Values) -> Values:
    for name in _MERGING:
        if name in arguments:
            raise ProviderError(f"getPolicyDocument of the embedded AWS environment does not merge documents ({name})")
    version = arguments.get("version") or "2012-10-17"
    document: Values = {"Version": version}
    if policy_id := arguments.get("policyId"):
        document["Id"] = policy_id
    statements: list[Values] = arguments.get("statements") or []
    document["Statement"] = [_statement(given) for given in statements]
    minified = json.dumps(document, separators=(",", ":"))
    return {
        **arguments,
        "version": version,
        "id": str(zlib.crc32(minified.encode())),
        "json": json.dumps(document, indent=2),
        "minifiedJson": minified,
    }


def _statement(given: Values) -> Values:
    statement: Values = {"Effect": given.get("effect") or "Allow"}
    if sid := given.get("sid"):
        statement["Sid"] = sid
    for ours, theirs in _LISTS.items():
        if values := given.get(ours):
            statement[theirs] = values[0] if len(values) == 1 else sorted(values)
    for ours, theirs in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        if entries := given.get(ours):
            statement[theirs] = _principals(entries)
    if conditions := given.get("conditions"):
        statement["Condition"] = _conditions(conditions)
    return statement


def _principals(entries: list[Values]) -> Any:
    if any(entry["type"] == "*" for entry in entries):
        return "*"
    return {entry["type"]: _one_or_all(entry["identifiers"]) for entry in entries}


def _conditions(entries: list[Values]) -> Values:
    found: Values = {}
    for entry in entries:
        found.setdefault(entry["test"], {})[entry["variable"]] = _one_or_all(entry["values"])
    return found


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


_FUNCTIONS: dict[str, Callable[[Clients, Values], Values]] = {
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
}
