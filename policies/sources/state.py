"""An exported state: what ``pulumi stack export`` writes, or a checkpoint as a file backend keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from policies.sources.source import Source, SourceError, content_of, from_engine

_ALLOWED = "what `pulumi stack export` writes: an object with deployment.resources"


def read(path: Path) -> Source:
    """The resources of a state, without those that wait for their deletion or that the program only reads.

    Raises:
        SourceError: the file cannot be read, or is no exported state.
    """
    try:
        content = json.loads(content_of(path))
    except RecursionError:
        raise SourceError(f"{path}: a value that is nested too deep; allowed: {_ALLOWED}") from None
    except ValueError as error:
        raise SourceError(f"{path}: not JSON: {error}") from None
    resources = _resources(content)
    if resources is None:
        raise SourceError(f"{path}: not an exported state; allowed: {_ALLOWED}")
    try:
        # Nothing reads the outputs: half of what a large state takes in memory.
        for entry in resources:
            entry.pop("outputs", None)
        return from_engine({str(entry["urn"]): entry for entry in resources if _declared(entry)})
    except (KeyError, AttributeError, TypeError):
        raise SourceError(f"{path}: a resource without urn and type; allowed: {_ALLOWED}") from None


def _declared(entry: dict[str, Any]) -> bool:
    """The program declares it: it does not wait for its deletion, and is not only read, as by ``Secret.get``."""
    return not entry.get("delete") and not entry.get("external")


def _resources(content: object) -> list[dict[str, Any]] | None:
    if not isinstance(content, dict):
        return None
    state = cast("dict[str, Any]", content)
    checkpoint = cast("dict[str, Any]", state.get("checkpoint") or {})
    held: object = state.get("deployment") or checkpoint.get("latest")
    # The engine writes no list at all for a stack without resources.
    found = cast("dict[str, Any]", held).get("resources", []) if isinstance(held, dict) else None
    return cast("list[dict[str, Any]]", found) if isinstance(found, list) else None
