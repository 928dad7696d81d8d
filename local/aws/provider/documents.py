"""IAM policy documents: their JSON form, and when two of them mean the same."""

from __future__ import annotations

import json
from typing import Any, cast

_SETS = frozenset({"Action", "NotAction", "Resource", "NotResource"})


def as_json(document: Any) -> Any:
    """A document given as an object as JSON text; text stays as it is."""
    return document if document is None or isinstance(document, str) else json.dumps(document, separators=(",", ":"))


def meaning(document: Any) -> Any:
    """The normal form of a document: order of keys, and of lists that are sets, and one-element lists do not count.

    Text that is no JSON is its own meaning.
    """
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return document
    if not isinstance(document, dict):
        return document
    content = cast("dict[str, Any]", document)
    statements = content.get("Statement", [])
    listed: list[Any] = cast("list[Any]", statements) if isinstance(statements, list) else [statements]
    return {**content, "Statement": [_statement(statement) for statement in listed]}


def _statement(statement: Any) -> Any:
    if not isinstance(statement, dict):
        return statement
    content = cast("dict[str, Any]", statement)
    return {name: _set(value) if name in _SETS else _members(value) for name, value in content.items()}


def _members(value: Any) -> Any:
    # Principal and Condition are maps of maps whose leaves are sets: "*" and {"AWS": "*"} stay different on purpose.
    if isinstance(value, dict):
        return {name: _members(item) for name, item in cast("dict[str, Any]", value).items()}
    return _set(value)


def _set(value: Any) -> Any:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    ordered = sorted((_scalar(item) for item in items), key=str)
    return ordered[0] if len(ordered) == 1 else ordered


def _scalar(value: Any) -> Any:
    # Conditions may say true or "true"; AWS answers with text.
    return str(value).lower() if isinstance(value, bool) else value
