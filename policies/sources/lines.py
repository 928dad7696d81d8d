"""The line of a value in a YAML file. PyYAML keeps lines and is slow: only files with findings are read by it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from policies.sources.manifests import Document


def line_of(document: Document, path: str) -> int:
    """The line of the place in the document that a judgement calls ``path``, or of what is there of the way to it."""
    nodes = _composed(document.file)
    node = nodes[document.position] if document.position < len(nodes) else None
    if node is None:
        return 1
    if document.item is not None:
        node = _step(_step(node, "items") or node, f"[{document.item}]") or node
    return _walk(node, path) + 1


@lru_cache(maxsize=16)
def _composed(file: str) -> Sequence[yaml.Node | None]:
    with Path(file).open() as text:
        return list(yaml.compose_all(text, Loader=yaml.CSafeLoader))


def _walk(node: yaml.Node, path: str) -> int:
    """The line of the longest part of the path that is there. A key may have dots in it, so every split is tried."""
    line: int = node.start_mark.line
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            rest = _after(path, str(key.value))
            if rest is not None:
                return max(int(key.start_mark.line), _walk(value, rest)) if rest else int(key.start_mark.line)
    if isinstance(node, yaml.SequenceNode) and path.startswith("["):
        label, _, rest = path[1:].partition("]")
        element = _step(node, f"[{label}]")
        if element is not None:
            return _walk(element, rest.removeprefix("."))
    return line


def _after(path: str, key: str) -> str | None:
    """What of the path remains below the key; None where the path does not lead there."""
    if not path.startswith(key):
        return None
    rest = path[len(key) :]
    if rest.startswith("."):
        return rest[1:]
    return rest if not rest or rest.startswith("[") else None


def _step(node: yaml.Node, step: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if not isinstance(node, yaml.SequenceNode):
        return None
    label = step.strip("[]")
    for position, element in enumerate(node.value):
        name = _step(element, "name") if isinstance(element, yaml.MappingNode) else None
        if (name.value if isinstance(name, yaml.ScalarNode) else str(position)) == label:
            return element
    return None
