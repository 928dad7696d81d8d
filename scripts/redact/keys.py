"""Private keys between two lines of dashes: PEM, OpenSSH, PGP, SSH2; whole, escaped on one line, or cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scripts.redact.mask import replaced

_BEGIN: Final = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_END: Final = re.compile(r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_SOME_BEGIN: Final = "BEGIN "
_PUTTY: Final = re.compile(r"Private-Lines: \d{1,4}")
# What may stand between two lines of a key, as it is or escaped.
_BETWEEN: Final = r"(?:[\s\"'`+,>|]|\\+[nrt]|\\(?=\s|\Z))"
_LINE: Final = r"(?:[A-Za-z0-9+/]{12,}+={0,2}|[A-Z][A-Za-z-]{2,20}: [^\n\\]{0,100}|=[A-Za-z0-9+/]{4}(?![A-Za-z0-9+/]))"
_LAST_LINE: Final = r"[A-Za-z0-9+/]++={0,2}(?=\s*+(?:\\|-|[\"'`]|\Z))"
_CUT_OFF: Final = re.compile(rf"(?:{_BETWEEN}*+{_LINE})*+(?:{_BETWEEN}*+{_LAST_LINE})?+")
_LINE_BEFORE: Final = re.compile(r"[ \t>|]*(?:[A-Za-z0-9+/=]{16,}|=[A-Za-z0-9+/]{4})[ \t\r]*")
_SHORT_LINE: Final = re.compile(r"[ \t>|]*[A-Za-z0-9+/=]+[ \t\r]*")
# No key is longer; one without an end is not looked for farther on.
_LONGEST: Final = 64 * 1024


def masked(text: str) -> str:
    """``text`` with what stands between the dashes masked."""
    return replaced(text, _spans(text)) if "PRIVATE KEY" in text or "Private-Lines" in text else text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for found in re.finditer(f"{_BEGIN.pattern}|{_END.pattern}|{_PUTTY.pattern}", text):
        if found.start() < done:
            continue
        if "END " in found[0]:
            span = _before(text, found.start(), done)
        elif found[0].startswith("P"):
            span = _after(text, found.end())
        else:
            span = _between(text, found.end()) or _after(text, found.end())
        if text[span[0] : span[1]].strip().strip("*"):
            yield span
        done = max(span[1], found.end())


def _between(text: str, start: int) -> tuple[int, int] | None:
    """What stands before the end of the key that begins at ``start``; None where it has none."""
    following = text.find(_SOME_BEGIN, start, start + _LONGEST)
    end = _END.search(text, start, start + _LONGEST if following < 0 else following)
    return (start, end.start()) if end else None


def _after(text: str, start: int) -> tuple[int, int]:
    """The lines of a key whose end was cut off."""
    found = _CUT_OFF.match(text, start)
    return start, start if found is None else found.end()


def _before(text: str, end: int, done: int) -> tuple[int, int]:
    """The lines of a key whose beginning was cut off."""
    start, pattern = end, _SHORT_LINE
    while start > done:
        line = text.rfind("\n", done, start - 1) + 1 or done
        if text[start - 1] != "\n" or not pattern.fullmatch(text, line, start - 1):
            break
        start, pattern = line, _LINE_BEFORE
    return start, end
