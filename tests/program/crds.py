"""CustomResourceDefinitions as schemas that also refuse what the API server would drop without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml
from openapi_schema_validator import OAS30Validator


class _Loader(yaml.CSafeLoader):
    """YAML in which a bare ``=`` is text: an operator of matchers, and a tag that nobody else knows."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))  # pyright: ignore[reportUnknownMemberType, reportUnknownLambdaType, reportUnknownArgumentType, reportArgumentType] (untyped in PyYAML)


def schemas(files: list[Path]) -> dict[tuple[str, str], dict[str, Any]]:
    """The strict schema of each served version, by ``apiVersion`` and ``kind``."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for file in files:
        spec = cast("dict[str, Any]", yaml.load(file.read_bytes(), _Loader))["spec"]  # noqa: S506 (a SafeLoader)
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            found[key] = strict(version["schema"]["openAPIV3Schema"])
    assert found, "there are no CRDs"
    return found


def strict(schema: Any) -> Any:
    """The schema, closed: a field that it does not name is an error, where the API server prunes it in silence."""
    if isinstance(schema, list):
        return [strict(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, Any] = {key: strict(value) for key, value in cast("dict[str, Any]", schema).items()}
    pattern = closed.get("pattern")
    if isinstance(pattern, str) and "(?i)" in pattern:
        # Go allows flags anywhere, Python at the beginning alone.
        closed["pattern"] = "(?i)" + pattern.replace("(?i)", "")
    if closed.get("x-kubernetes-int-or-string"):
        closed.pop("type", None)
    open_ended = closed.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in closed
    if isinstance(closed.get("properties"), dict) and closed.get("type") == "object" and not open_ended:
        closed["additionalProperties"] = False
    return closed


def errors(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, as path and message."""
    return [f"{error.json_path}: {error.message}" for error in OAS30Validator(schema).iter_errors(value)]
