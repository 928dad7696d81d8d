"""Secrets that a key names: ``password=...``, ``"apiKey": "..."``, ``Authorization: Basic ...``, ``--token ...``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scripts.redact import names, values
from scripts.redact.names import Kind
from scripts.redact.rules import replaced
from scripts.redact.values import Line, Value

# A name, the quote that closes it, and what stands between it and its value. No name begins within another one, so that
# a long word is read once.
_KEY: Final = re.compile(
    r"(?<![\w.-])(?P<name>(?P<dash>--?(?=[A-Za-z]))?+[\w.-]++)(?P<close>\\*+[\"'`]?\]?)"
    r"(?:[ \t]*+(?:=>|:=|={1,3}|(?P<colon>:)(?!:|//)|::(?=[ \t])|%3[aAdD](?:%2[02]|\+)*+)"
    r"|(?P<blank>(?(dash)(?:[ \t]++(?=[^\s-])|,[ \t]*+(?=[\"']))|(?!))))"
)
# The words before a name that is written with blanks.
_BEFORE: Final = re.compile(r"[A-Za-z]+ (?:[A-Za-z]+ )?$")
_CONTINUED: Final = frozenset({"key", "id", "phrase", "words", "string"})
_BLOCK: Final = re.compile(r"[ \t]*+(?:![\w!]{1,32}[ \t]++)?[|>][-+0-9]{0,2}[ \t]*+(?:#[^\n]*+)?\r?\n")
_NEXT_LINE: Final = re.compile(r"[ \t]*+\r?\n(?P<indent>[ \t]++)(?P<value>[^\s:\"'#-][^\s:]*+)[ \t]*+(?=\r?\n|\Z)")
_VALUE_OF_NAME: Final = re.compile(
    r"[\\\"'`,;\s]{0,60}+(?:-[ \t])?[\\\"'`]{0,8}+value[\\\"'`]{0,8}+[ \t]*+[=:]", re.IGNORECASE
)
# All of a browser's cookies, and the value of the one that a server sets: its attributes stay.
_COOKIES: Final = re.compile(r"[ \t]*+[\"'\\]{0,4}+(?P<value>[\w.%!#$&*+^`|~-]++=[^\n\"'\\]*+)")
_COOKIE: Final = re.compile(r"[ \t]*+[\"'\\]{0,4}+[\w.%!#$&*+^`|~-]++=(?P<value>[^\s;\"'\\]++)")
# Variables of a shell.
_FOLDERS: Final = ("PWD", "OLDPWD")
_CERTAIN: Final = (Kind.PASSWORD, Kind.SECRET, Kind.HEADER)
# Headers whose value has several parts.
_PARTS: Final = re.compile(r"[ \t]*+[\"'\\]{0,4}+(?:digest|oauth|hawk)[ \t]++(?P<value>\w++=[^\n]*+)", re.IGNORECASE)
# A scheme that no list has, and what follows it.
_SCHEME: Final = re.compile(
    r"[ \t]*+[\"'\\]{0,4}+[A-Za-z][\w-]{1,31}+[ \t]++(?i:(?!credential=))"
    r"(?P<value>\*{3}|(?=[^\s\d=]{0,99}[\d=])[^\s\"'\\,;]{6,}+)(?![\"'\\]*+[^\s\"'\\,;}\])])"
)
_UNEXPECTED: Final = ("nexpected ", "llegal ", "xpected ")


def masked(text: str) -> str:
    """``text`` without the values of names of secrets."""
    return replaced(text, _spans(text)) if "=" in text or ":" in text or "-" in text or "%3" in text else text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    line, done = Line(text), 0
    for key in _KEY.finditer(text):
        if key.start() < done:
            continue
        kind = _kind(text, key)
        if kind is Kind.HARMLESS:
            continue
        for start, end in _values(text, key, kind, line):
            yield start, end
            done = end


def _kind(text: str, key: re.Match[str]) -> Kind:
    name = key["name"]
    if name in _FOLDERS and text[key.end() : key.end() + 1] in ("/", "\n", ""):
        return Kind.HARMLESS
    if key["blank"] is not None:
        # An option; Pulumi's "set --secret" says what the value is.
        pulumi = name == "--secret" and text.endswith("set ", 0, key.start())
        return names.kind(name) if names.names_secret(name) and not pulumi else Kind.HARMLESS
    kind = names.kind(name)
    if name.lower() in _CONTINUED:
        before = _BEFORE.search(text, max(0, key.start() - 30), key.start())
        longer = Kind.HARMLESS if before is None else names.kind(f"{before[0]}{name}".replace(" ", "_"))
        return longer if longer in (Kind.SECRET, Kind.PHRASE) else kind
    if kind is not Kind.HARMLESS and key["colon"] and _about_another(text, key.start()):
        return Kind.HARMLESS
    return kind


def _about_another(text: str, at: int) -> bool:
    """Whether the name at ``at`` is the end of a path, a part of the name of a resource, or a token of a parser."""
    before = text[max(0, at - 80) : at]
    return before.endswith(("/", "\\", *_UNEXPECTED)) or "arn:" in before.split(" ")[-1]


def _values(text: str, key: re.Match[str], kind: Kind, line: Line) -> Iterator[tuple[int, int]]:
    if kind is Kind.NAMED:
        yield from _of_name(text, key, line)
    elif kind is Kind.COOKIE:
        yield from _of_cookie(text, key)
    elif kind is Kind.HEADER and (parts := _PARTS.match(text, key.end())):
        yield parts.start("value"), parts.start("value") + len(parts["value"].rstrip(" \t\r\"'\\}"))
    elif kind is Kind.HEADER and (schemed := _SCHEME.match(text, key.end())):
        yield schemed.span("value")
    elif kind is Kind.PERHAPS and (words := values.PHRASE.match(text, key.end())):
        yield words.span("words")
    elif kind is Kind.PHRASE:
        yield from _of_phrase(text, key.end(), line)
    elif kind in _CERTAIN and (block := _BLOCK.match(text, key.end())):
        yield from _of_block(text, key.start(), block.end())
    elif found := _NEXT_LINE.match(text, key.end()):
        if len(found["indent"]) > _indent(text, key.start()):
            yield from _of(Value(*found.span("value"), found["value"], quoted=False), kind)
    else:
        yield from _of(_read(text, key, kind, line), kind)


def _read(text: str, key: re.Match[str], kind: Kind, line: Line) -> Value:
    found = values.read(text, key.end(), line, scheme=kind is not Kind.PASSWORD)
    spaced = key["name"].lower() in _CONTINUED and kind is Kind.SECRET
    if (spaced and not any(map(str.isdigit, found.text))) or (
        found.text.isdigit() and text.startswith(" bytes", found.end)
    ):
        # "secret key: tls.crt" speaks of the key of a Secret, "password: 16 bytes" of the length of its value.
        return Value(found.start, found.start, "", quoted=False)
    return found


def _of(value: Value, kind: Kind) -> Iterator[tuple[int, int]]:
    if values.secret(value, kind):
        yield value.start, value.end


def _of_name(text: str, key: re.Match[str], line: Line) -> Iterator[tuple[int, int]]:
    """The value of an entry that has a name and a value, such as a variable of a container."""
    name = values.read(text, key.end(), line)
    if not names.names_secret(name.text):
        # Perhaps a key of its own.
        yield from _of(name, Kind.KEY) if key["name"].lower() == "key" else ()
    elif value := _VALUE_OF_NAME.match(text, name.end):
        yield from _of(values.read(text, value.end(), line), names.kind(name.text))


def _of_cookie(text: str, key: re.Match[str]) -> Iterator[tuple[int, int]]:
    pattern = _COOKIE if key["name"].lower().endswith("set-cookie") else _COOKIES
    found = pattern.match(text, key.end())
    if found is not None and found["value"].strip("*"):
        yield found.span("value")


def _of_phrase(text: str, at: int, line: Line) -> Iterator[tuple[int, int]]:
    value = values.read(text, at, line)
    end = value.end if value.quoted else line.end(value.end)
    phrase = Value(value.start, end, text[value.start : end], quoted=value.quoted)
    if not values.harmless(phrase) and not values.harmless(value):
        yield phrase.start, phrase.end


def _of_block(text: str, key: int, at: int) -> Iterator[tuple[int, int]]:
    """The lines of a YAML block: those that are indented deeper than the key."""
    indent, start = _indent(text, key), -1
    end = at
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        content = text[at:stop]
        depth = len(content) - len(content.lstrip(" \t"))
        if content.strip() and depth <= indent:
            break
        if content.strip():
            start = at + depth if start < 0 else start
            end = at + len(content.rstrip())
        at = stop + 1
    if start >= 0 and text[start:end].strip("*"):
        yield start, end


def _indent(text: str, at: int) -> int:
    """How deep the line is indented whose first word begins at ``at``; a list's dash counts."""
    start = text.rfind("\n", 0, at) + 1
    head = text[start:at]
    return len(head) if not head.strip(" \t-\"'") else len(head) - len(head.lstrip())
