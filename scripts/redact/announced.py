"""Secrets that the program was given: removed by their value, in every spelling in which a message can repeat them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from scripts.redact.rules import MASK

# Shorter texts would mask parts of harmless words and so tell more than they hide.
_SHORTEST: Final = 4
# Part of a base64 text, or of a key of several lines, as short as this stands in harmless texts too.
_SHORTEST_PART: Final = 8

# The longest first: a spelling can be part of another one.
_spellings: list[str] = []


def hide(secret: str | None) -> None:
    """Never let ``secret`` appear in anything that the program writes from now on."""
    if not secret or len(secret) < _SHORTEST:
        return
    found = set(_spellings).union(_of(secret))
    _spellings[:] = sorted(found, key=lambda spelling: (-len(spelling), spelling))


def without(text: str) -> str:
    """``text`` without any announced secret."""
    for spelling in _spellings:
        if spelling in text:
            text = text.replace(spelling, MASK)
    return text


def _of(secret: str) -> Iterator[str]:
    """Every spelling of a secret, and of each line of one that has several."""
    whole = secret.strip()
    lines = [line.strip() for line in secret.splitlines()] if "\n" in whole else []
    # The lines that enclose a key are the same for all keys.
    for part in (secret, whole, " ".join(secret.split()), *lines):
        if part in (secret, whole) or (len(part) >= _SHORTEST_PART and not part.startswith("-----")):
            yield from (spelling for spelling in _spelled(part) if len(spelling) >= _SHORTEST)


def _spelled(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield from _in_base64(data)
    yield from (data.hex(), data.hex().upper())
    for url in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield from (url, _lower_escapes(url))
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        yield from (once, twice, once.replace("/", "\\/"))
    # Of C and of Python: texts, bytes, and octal numbers as PostgreSQL and systemd write them.
    yield from (repr(secret)[1:-1], repr(data)[2:-1], _octal(data), secret.replace("\\", "\\\\").replace('"', '\\"'))
    yield from (secret.replace("\\", "\\\\").replace("'", "\\'"), secret.replace("\\", "\\\\"))
    # Of SQL and YAML, of a password file of PostgreSQL, of the shell, of HTML and XML.
    yield from (secret.replace("'", "''"), secret.replace("\\", "\\\\").replace("'", "''"))
    yield secret.replace("\\", "\\\\").replace(":", "\\:")
    yield secret.replace("'", "'\"'\"'")
    text = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield from (text, *(text.replace('"', "&quot;").replace("'", sign) for sign in ("&#x27;", "&#39;", "&apos;")))


def _in_base64(data: bytes) -> Iterator[str]:
    """``data`` in base64, alone and within a longer text, such as ``user:password`` of a header."""
    for alone in (data, data + b"\n"):
        for encoded in (base64.b64encode(alone), base64.urlsafe_b64encode(alone)):
            yield from (encoded.decode(), encoded.decode().rstrip("="))
    for before in range(3):
        # The signs at both ends share bits with what stands around.
        first, last = -(-before * 4 // 3), (before + len(data)) * 4 // 3
        padded = b"\0" * before + data + b"\0\0"
        for encoded in (base64.b64encode(padded), base64.urlsafe_b64encode(padded)):
            if last - first >= _SHORTEST_PART:
                yield encoded.decode()[first:last]


def _lower_escapes(url: str) -> str:
    head, *rest = url.split("%")
    return "%".join((head, *(part[:2].lower() + part[2:] for part in rest)))


def _octal(data: bytes) -> str:
    known = {34: '\\"', 92: "\\\\", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
    return "".join(known.get(byte, chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in data)
