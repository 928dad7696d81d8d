"""The documents of a file as kubectl splits and reads it: YAML between lines of ``---``, or JSON objects in a row.

https://github.com/kubernetes/apimachinery/blob/v0.37.2/pkg/util/yaml/decoder.go, and for the encoding
https://github.com/kubernetes/cli-runtime/blob/v0.37.2/pkg/resource/visitor.go.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

from policies.plain import Plain
from policies.sources.composing import MOST_NESTED, Lines, UnreadableError, compose, compose_lines
from policies.sources.scalars import number

MOST_BYTES: Final = 64 * 1024 * 1024

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# White space of Go's unicode package, and of JSON.
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_JSON_VALUE: Final = re.compile(r"[^ \t\r\n]")
# So much of a file is looked at to tell JSON from YAML.
_GUESSED: Final = 4096
_SEPARATOR: Final = re.compile(rb"^---([^\n]*)\n?", re.MULTILINE)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_HALF: Final = re.compile("[\ud800-\udfff]")
_SIGN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:\n]|[^\s"\[\]{},:]+')
_NESTED: Final = f"lists and maps nested deeper than {MOST_NESTED}"
# So many digits and a sign are an integer in Go's 64 bits; more may not be, and become a double.
_SAFE_DIGITS, _MOST_DIGITS = 18, 20
_LOOKED_AT: Final = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a document stands in its file's text in UTF-8: bytes from ``start`` to ``end``, from line ``line`` on."""

    start: int
    end: int
    line: int
    json: bool = False


def decoded(data: bytes) -> bytes:
    """A file's text in UTF-8, without a byte order mark: UTF-16 has one."""
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    elif encoding := _UTF16.get(data[:2]):
        return data[2:].decode(encoding, "replace").encode()
    return data.decode("utf-8", "replace").encode()


def documents(text: bytes) -> Iterator[tuple[Chunk, Plain]]:
    """Each document of a decoded file, with null for an empty one.

    Raises:
        UnreadableError: what kubectl refuses, with the line in the file; documents before it have been yielded.
    """
    position = 0
    refused = ""
    if text[:_GUESSED].decode("utf-8", "ignore").lstrip(_SPACE).startswith("{"):
        position, refused = yield from _json_documents(text)
        if position == len(text):
            return
    try:
        yield from _yaml_documents(text, position)
    except UnreadableError as error:
        if refused:
            raise UnreadableError(f"{error}; nor is it JSON: {refused}") from None
        raise


def lines(text: bytes, chunk: Chunk) -> tuple[Plain, Lines]:
    """A document with the lines of its values, counted within the chunk.

    Raises:
        UnreadableError: the text is not what it was.
    """
    held = text[chunk.start : chunk.end]
    if chunk.json:
        value = _DECODER.decode(held.decode())
        return value, _JsonLines(held.decode()).value()
    return compose_lines(held)


def _yaml_documents(text: bytes, start: int) -> Iterator[tuple[Chunk, Plain]]:
    line = text.count(b"\n", 0, start)
    for match in _SEPARATOR.finditer(text, start):
        said = match[1].decode().strip(_SPACE)
        if said and not said.startswith("#"):
            at = line + text.count(b"\n", start, match.start()) + 1
            raise UnreadableError(
                f"line {at}: --- stands alone in its line, or before a comment; found after it: {said[:40]!r}"
            )
        # A line of --- at the very start of a document is its own.
        if match.start() > start:
            yield _yaml_document(text, Chunk(start, match.start(), line))
            line += text.count(b"\n", start, match.end())
            start = match.end()
    if start < len(text):
        yield _yaml_document(text, Chunk(start, len(text), line))


def _yaml_document(text: bytes, chunk: Chunk) -> tuple[Chunk, Plain]:
    held = text[chunk.start : chunk.end]
    try:
        return chunk, compose(held)
    except UnreadableError as error:
        raise UnreadableError(_moved(str(error), chunk.line)) from None


def _moved(said: str, by: int) -> str:
    """A message about a line of a document, as one about the file's line."""
    found = re.match(r"line (\d+): ", said)
    return f"line {int(found[1]) + by}: {said[found.end() :]}" if found else f"line {by + 1}: {said}"


def _json_documents(text: bytes) -> Generator[tuple[Chunk, Plain], None, tuple[int, str]]:
    """Yields what is JSON. Returns where something else begins, which may be YAML, and why it is no JSON."""
    whole = text.decode()
    # The last value's end: in characters, bytes and lines.
    position, held, line, count = 0, 0, 0, 0
    while True:
        found = _JSON_VALUE.search(whole, position)
        if found is None:
            return len(text), ""
        begin = found.start()
        try:
            value, end = _DECODER.raw_decode(whole, begin)
            if _SURROGATE.search(whole, begin, end):
                value = _without_surrogates(value)
            _check_nesting(value, whole.count("[", begin, end) + whole.count("{", begin, end))
        except (ValueError, RecursionError) as error:
            said = str(error) if isinstance(error, ValueError) else _NESTED
            skipped = _skipped(whole, position)
            # Two objects in a row are no YAML: kubectl does not try it.
            if count > 1 or said == _NESTED or skipped is None:
                raise UnreadableError(f"not JSON: {said}") from None
            return held + skipped, said
        start = held + begin - position
        line += whole.count("\n", position, begin)
        held = start + len(whole[begin:end].encode())
        yield Chunk(start, held, line, json=True), value
        line += whole.count("\n", begin, end)
        position, count = end, count + 1


def _skipped(whole: str, position: int) -> int | None:
    """The bytes of white space that kubectl skips before it goes on in YAML: at most to the end of the line.

    None where it gives up, because it wants to look at four bytes and there are fewer.
    """
    count = 0
    for at in range(position, len(whole)):
        if len(whole[at : at + _LOOKED_AT].encode()) < _LOOKED_AT:
            return None
        if whole[at] not in _SPACE:
            break
        count += len(whole[at].encode())
        if whole[at] == "\n":
            break
    return count


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is a number that JSON does not have")


def _float(text: str) -> int | float:
    value = float(text)
    if math.isinf(value):
        raise UnreadableError(f"{text[:40]} is too great a number")
    return number(value)


def _int(text: str) -> int | float:
    if len(text) <= _SAFE_DIGITS or (len(text) <= _MOST_DIGITS and -(2**63) <= int(text) < 2**63):
        return int(text)
    return _float(text)


_DECODER: Final = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_refuse)


def _without_surrogates(value: Any) -> Any:
    """Go reads half of a pair as the replacement character."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        told = cast("dict[str, Any]", value)
        return {_HALF.sub("\ufffd", key): _without_surrogates(each) for key, each in told.items()}
    return value


def _check_nesting(value: Any, brackets: int) -> None:
    """``brackets``: how many there are at most; few cannot be nested too deep."""
    level: list[Any] = [value]
    for _ in range(MOST_NESTED if brackets > MOST_NESTED else 0):
        level = [each for held in level for each in _within(held)]
    if brackets > MOST_NESTED and any(isinstance(each, (list, dict)) for each in level):
        raise ValueError(_NESTED)


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


class _JsonLines:
    """The lines of a text that is known to be JSON."""

    def __init__(self, text: str) -> None:
        self._signs = _SIGN.finditer(text)
        self._line = 0

    def value(self) -> Lines:
        """The lines of the next value."""
        return self._of(self._next())

    def _next(self) -> str:
        for match in self._signs:
            if match[0] != "\n":
                return match[0]
            self._line += 1
        return ""

    def _of(self, sign: str) -> Lines:
        line = self._line
        if sign == "[":
            elements: list[Lines] = []
            while (sign := self._next()) != "]":
                if sign != ",":
                    elements.append(self._of(sign))
            return line, elements
        if sign == "{":
            entries: dict[str, Lines] = {}
            while (sign := self._next()) != "}":
                if sign != ",":
                    at = self._line
                    self._next()
                    held = self.value()
                    entries[json.loads(sign)] = at if isinstance(held, int) else (at, held[1])
            return line, entries
        return line
