"""Keys that a map of a YAML or JSON text has twice: its readers take the last one and say nothing."""

from __future__ import annotations

from collections.abc import Iterator


def complaint(text: str) -> str | None:
    """The first key that a map has twice, with its lines; None where each is given once.

    A text that is no YAML has no such key: its reader says what is wrong with it.
    """
    import yaml  # noqa: PLC0415  most runs read no file that people write

    try:
        # In JSON a tab is white space, and stands in no text.
        documents = list(yaml.compose_all(text.replace("\t", " "), Loader=yaml.CSafeLoader))
        return next((told for document in documents for told in _twice(document, set())), None)
    except (yaml.YAMLError, RecursionError):
        return None


def _twice(node: object, seen: set[int]) -> Iterator[str]:
    import yaml  # noqa: PLC0415

    # An alias is the very node that it stands for.
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for element in node.value:
            yield from _twice(element, seen)
        return
    first: dict[tuple[str, str], int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode):
            if before := first.get((key.tag, key.value)):
                yield f"{key.value} is given twice, in lines {before} and {line}; remove one of them"
            first[key.tag, key.value] = line
        yield from _twice(key, seen)
        yield from _twice(value, seen)
