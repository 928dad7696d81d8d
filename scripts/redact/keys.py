"""Private keys between two lines of dashes: PEM, OpenSSH, PGP, SSH2; whole, escaped on one line, or cut off."""

from __future__ import annotations

from typing import Final

from scripts.redact.rules import Rule, Rules

_NAME: Final = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
# What may stand between two lines of a key, as it is or escaped.
_BETWEEN: Final = r"(?:[\s\"'`+,>|]|\\+[nrt]|\\(?=\s|\Z))"
_LINE: Final = (
    r"(?:[A-Za-z0-9+/]{12,}+={0,2}|[A-Za-z0-9+/]{2,11}={1,2}(?=[\s\\])"
    r"|[A-Z][A-Za-z-]{2,20}: [^\n\\]{0,100}|=[A-Za-z0-9+/]{4}(?![A-Za-z0-9+/]))"
)
_LAST_LINE: Final = r"[A-Za-z0-9+/]++={0,2}(?=\s*+(?:\\|-|[\"'`]|\Z))"
# No key has more lines.
_LINES_BEFORE: Final = r"(?:[ \t>|]*(?:[A-Za-z0-9+/=]{16,}|=[A-Za-z0-9+/]{4})[ \t\r]*\n){0,256}+"
_SHORT_LINE: Final = r"(?:[ \t>|]*[A-Za-z0-9+/=]+[ \t\r]*\n)?+"

KEYS: Final = Rules(
    (
        Rule(
            "RFC 7468, PuTTY",
            rf"(?:-{{4,5}} ?BEGIN {_NAME}|Private-Lines: \d{{1,4}})(?P<secret>(?!\s*\*{{3}})"
            rf"(?:(?:{_BETWEEN}*+{_LINE})++(?:{_BETWEEN}*+{_LAST_LINE})?+|{_BETWEEN}*+{_LAST_LINE})"
            rf"(?:{_BETWEEN}*+(?=-{{4,5}} ?END))?+)",
            ("PRIVATE KEY", "Private-Lines"),
        ),
        Rule(
            "RFC 7468, without its beginning",
            rf"(?m:^)(?P<secret>(?:{_LINES_BEFORE}{_SHORT_LINE})(?<=\n))-{{4,5}} ?END {_NAME}",
            ("PRIVATE KEY",),
        ),
    )
)


def masked(text: str) -> str:
    """``text`` with what stands between the dashes masked."""
    return KEYS.masked(text, text)
