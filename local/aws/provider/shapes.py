"""The names of nested settings: camelCase in Pulumi, PascalCase with exceptions in the AWS API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

_EXCEPTIONS = {
    "id": "ID",
    "kmsMasterKeyId": "KMSMasterKeyID",
    "mfaDelete": "MFADelete",
    "sseAlgorithm": "SSEAlgorithm",
}
_BACK = {theirs: ours for ours, theirs in _EXCEPTIONS.items()}


def to_api(value: Any) -> Any:
    """`value` with the names of the AWS API, and without what is None."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {_theirs(name): to_api(item) for name, item in items if item is not None}
    return [to_api(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def from_api(value: Any) -> Any:
    """The inverse of `to_api`; points in time become RFC 3339 text in UTC."""
    if isinstance(value, dict):
        return {_ours(name): from_api(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [from_api(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def compact(value: Any) -> Any:
    """The normal form of nested settings: what is off, zero or empty is the same as left out."""
    if isinstance(value, dict):
        items = {name: compact(item) for name, item in cast("dict[str, Any]", value).items()}
        return {name: item for name, item in items.items() if item} or None
    if isinstance(value, list):
        return [compact(item) for item in cast("list[Any]", value)] or None
    return value or None


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as the S3 and IAM APIs take them."""
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


def tag_map(tags: Any) -> dict[str, str]:
    """The inverse of `tag_list`."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def _theirs(name: str) -> str:
    return _EXCEPTIONS.get(name) or name[:1].upper() + name[1:]


def _ours(name: str) -> str:
    return _BACK.get(name) or name[:1].lower() + name[1:]
