"""Secrets of Kubernetes: every value in ``data`` and ``stringData`` of an object whose kind says that it is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scripts.redact import values
from scripts.redact.rules import replaced
from scripts.redact.values import Line

SECRETS: Final = ("Secret", "SecretList")
FIELDS: Final = ("data", "stringData")

_DOCUMENT: Final = re.compile(r"^---[^\n]*\n?", re.MULTILINE)
_YAML_KIND: Final = re.compile(r"^[ \t]*+(?:- )?kind:[ \t]*[\"']?Secret(?:List)?[\"']?[ \t]*\r?$", re.MULTILINE)
_YAML_FIELD: Final = re.compile(r"^(?P<indent>[ \t]*+(?:- )?)(?:data|stringData):[ \t]*+\r?\n", re.MULTILINE)
_YAML_ENTRY: Final = re.compile(r"(?P<indent>[ \t]*+)[^\s:#][^:\n]{0,253}+:[ \t]++(?P<value>[^\s][^\n]*+)")
_JSON_KIND: Final = re.compile(r"kind\\*+\"\s*+:\s*+\\*+\"Secret(?:List)?\\*+\"")
_JSON_FIELD: Final = re.compile(r"\"(?:data|stringData)\\*+\"\s*+:\s*+\{")
_JSON_KEY: Final = re.compile(r"[\s,]*+\\*+\"[^\"\\]{1,253}+\\*+\"\s*+:")
_FLOW_FIELD: Final = re.compile(r"\b(?:data|stringData):[ \t]*+\{(?P<entries>[^{}\n]*+)\}")
_BLOCK: Final = re.compile(r"[|>][-+0-9]{0,2}\s*")
_CLOSING: Final = re.compile(r"\\*+\"")
_FLOW_ENTRY: Final = re.compile(r":[ \t]*+[\"']?(?P<value>[^,}\"'\s]++)")


def masked(text: str) -> str:
    """``text`` with the values of its Secrets masked."""
    if "Secret" not in text or "ata" not in text:
        return text
    return replaced(text, sorted((*_of_yaml(text), *_of_json(text))))


def _of_yaml(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in (*(found.start() for found in _DOCUMENT.finditer(text)), len(text)):
        if _YAML_KIND.search(text, start, end):
            done = start
            for field in _YAML_FIELD.finditer(text, start, end):
                if field.start() >= done:
                    spans, done = _entries(text, field.end(), end, len(field["indent"]))
                    yield from spans
            for flow in _FLOW_FIELD.finditer(text, start, end):
                for entry in _FLOW_ENTRY.finditer(text, *flow.span("entries")):
                    yield from _span(text, *entry.span("value"))
        start = end


def _entries(text: str, at: int, end: int, indent: int) -> tuple[list[tuple[int, int]], int]:
    """The values of the entries from ``at`` on that are indented deeper than ``indent``, and where they end."""
    found: list[tuple[int, int]] = []
    depth = 0
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        line = text[at:stop]
        here = len(line) - len(line.lstrip(" \t"))
        if line.strip():
            if here <= indent:
                break
            depth = depth or here
            entry = _YAML_ENTRY.match(text, at, stop)
            if here > depth:
                # A line of a block.
                found += _span(text, at + here, stop)
            elif entry and not _BLOCK.fullmatch(entry["value"]):
                found += _span(text, *entry.span("value"))
        at = stop + 1
    return found, at


def _of_json(text: str) -> Iterator[tuple[int, int]]:
    if not _JSON_KIND.search(text):
        return
    line, done = Line(text), 0
    for field in _JSON_FIELD.finditer(text):
        at = field.end()
        while at >= done and (key := _JSON_KEY.match(text, at)):
            value = values.read(text, key.end(), line)
            yield from _span(text, value.start, value.end)
            at = done = value.end
            if value.quoted:
                closing = _CLOSING.match(text, at)
                at = done = at if closing is None else closing.end()


def _span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    value = text[start:end].rstrip()
    if value.strip("*\"'"):
        quoted = len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]
        yield (start + 1, start + len(value) - 1) if quoted else (start, start + len(value))
