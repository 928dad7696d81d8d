"""A preview: its event log (``pulumi preview --event-log FILE``), or its digest (``pulumi preview --json``).

The engine knows the option only with ``PULUMI_DEBUG_COMMANDS=true``.

The log has every step with the inputs that it would write, unknowns included, and no secret. It does not say which line
declared a resource, nor what a property was computed from; the digest says both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

from policies.sources.source import Source, SourceError, content_of, from_engine

_STEP: Final = "resourcePreEvent"
# Steps that leave nothing behind, and those that only look at what the program does not declare.
_GONE: Final = frozenset(
    {
        *("delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace"),
        *("read", "read-replacement"),
    }
)
_ALLOWED: Final = "what `pulumi preview --event-log FILE` writes, or `pulumi preview --json`"


def read(path: Path) -> Source:
    """The resources that there would be after the previewed update.

    Raises:
        SourceError: the file cannot be read, is no log of events, or has no step in it.
    """
    try:
        text = content_of(path).decode()
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not text; allowed: {_ALLOWED}") from None
    try:
        entries = dict(_entries(path, text))
        return from_engine(entries)
    except (KeyError, AttributeError, TypeError):
        raise SourceError(f"{path}: a step without urn and type; allowed: {_ALLOWED}") from None
    except RecursionError:
        raise SourceError(f"{path}: a value that is nested too deep; allowed: {_ALLOWED}") from None


def _entries(path: Path, text: str) -> Iterable[tuple[str, dict[str, Any]]]:
    steps = list(_digest(path, text) or _events(path, text))
    if not steps:
        raise SourceError(f"{path}: no step of a preview in it; allowed: {_ALLOWED}")
    for operation, after in steps:
        if after and operation not in _GONE and not after.get("external"):
            yield str(after["urn"]), after


def _events(path: Path, text: str) -> Iterable[tuple[str, dict[str, Any] | None]]:
    started = ended = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            event = cast("object", json.loads(line))
        except ValueError as error:
            raise SourceError(f"{path}: line {number}: not JSON: {error}") from None
        told = cast("dict[str, Any]", event) if isinstance(event, dict) else {}
        _refuse_failed(path, [told.get("diagnosticEvent")])
        ended = ended or "summaryEvent" in told
        if step := told.get(_STEP):
            started = True
            yield str(step["metadata"]["op"]), step["metadata"].get("new")
    if started and not ended:
        raise SourceError(f"{path}: the preview did not come to its end: its log has no summary; preview again")


def _refuse_failed(path: Path, diagnostics: Iterable[Any]) -> None:
    for each in diagnostics:
        if isinstance(each, dict) and cast("dict[str, Any]", each).get("severity") == "error":
            raise SourceError(f"{path}: the preview failed, and its steps are not all; mend it and preview again")


def _digest(path: Path, text: str) -> Iterable[tuple[str, dict[str, Any] | None]] | None:
    try:
        content = cast("object", json.loads(text))
    except ValueError:
        return None
    told = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    _refuse_failed(path, told.get("diagnostics") or ())
    steps = told.get("steps")
    if not isinstance(steps, list):
        return None
    return [(str(step["op"]), step.get("newState")) for step in cast("list[dict[str, Any]]", steps)]
