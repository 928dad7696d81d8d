"""Bucket policies with their conditions, in place of moto's reading, which denies whatever has a condition.

Requests count as made over TLS: the endpoint speaks plain HTTP on a link that never leaves the machine, and the
policies of production, such as "deny all that is not TLS", have to hold here without denying everything.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, cast

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

log = logging.getLogger("local.aws.bucket_policies")

request_headers: ContextVar[Mapping[str, str]] = ContextVar("request_headers", default=MappingProxyType({}))
"""The headers of the request that is being served, by lower-case name."""

_HEADER_KEY = "s3:x-amz-"


def install() -> None:
    """Make moto decide with `decide`."""

    def get_permission(self: Any, action: str, resource: str) -> PermissionResult:
        if self.policy is None:
            return PermissionResult.NEUTRAL
        return decide(json.loads(self.policy), action, resource, request_headers.get())

    FakeBucket.get_permission = get_permission


def decide(document: Any, action: str, resource: str, headers: Mapping[str, str]) -> PermissionResult:
    """What `document` says of everybody's `action` on `resource` (an ARN): a denial wins over a permission."""
    statements = document.get("Statement", [])
    effects = {
        statement["Effect"]
        for statement in _listed(statements)
        if _for_everybody(statement.get("Principal"))
        and _concerns(statement, "Action", action)
        and _concerns(statement, "Resource", resource)
        and _holds(statement.get("Condition") or {}, headers)
    }
    if "Deny" in effects:
        return PermissionResult.DENIED
    return PermissionResult.PERMITTED if "Allow" in effects else PermissionResult.NEUTRAL


def _for_everybody(principal: Any) -> bool:
    # The endpoint does not check who asks, so that statements about somebody in particular say nothing here.
    return principal == "*" or (isinstance(principal, dict) and "*" in _listed(cast("Any", principal).get("AWS", [])))


def _concerns(statement: Mapping[str, Any], element: str, value: str) -> bool:
    if f"Not{element}" in statement:
        return not any(fnmatchcase(value, pattern) for pattern in _listed(statement[f"Not{element}"]))
    return any(fnmatchcase(value, pattern) for pattern in _listed(statement.get(element, [])))


def _holds(condition: Mapping[str, Mapping[str, Any]], headers: Mapping[str, str]) -> bool:
    return all(
        _test(operator, _value(key, headers), [str(value).lower() for value in _listed(wanted)])
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def _value(key: str, headers: Mapping[str, str]) -> str | None:
    if key.lower() == "aws:securetransport":
        return "true"
    return headers.get(key[len("s3:") :].lower()) if key.startswith(_HEADER_KEY) else None


def _test(operator: str, value: str | None, wanted: list[str]) -> bool:
    test = _OPERATORS.get(operator.removesuffix("IfExists"))
    if test is None:
        log.warning("condition-not-evaluated operator=%s", operator)
        return False
    if value is None and operator.endswith("IfExists"):
        return True
    return test(None if value is None else value.lower(), wanted)


_OPERATORS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "Bool": lambda value, wanted: value in wanted,
    "Null": lambda value, wanted: str(value is None).lower() in wanted,
    "StringEquals": lambda value, wanted: value in wanted,
    "StringLike": lambda value, wanted: value is not None and any(fnmatchcase(value, pattern) for pattern in wanted),
    "StringNotEquals": lambda value, wanted: value not in wanted,
}


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]
