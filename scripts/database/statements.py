"""Statements as they may be shown: without the values in them, which can be secrets and personal data."""

from __future__ import annotations

import re
from typing import Final

# What the server cut off has no end: an open literal or comment reaches to the end of the text.
_TOKEN: Final = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<escaped> \b[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z) )
    | (?P<string> (?:\b[bBxXnN]|\b[uU]&)?'(?:[^']|'')*(?:'|\Z) )
    | (?P<dollar> \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z) )
    | (?P<kept> "(?:[^"]|"")*(?:"|\Z) | [^\W\d][\w$]* | \$\d+ )
    | (?P<number> (?:\d|\.\d)[\w.]* )
    """,
    re.VERBOSE | re.DOTALL,
)
_LENGTH: Final = 200


def without_values(text: str, length: int = _LENGTH) -> str:
    """``text`` on one line of at most ``length`` characters, with ``?`` for every literal and without comments.

    What PostgreSQL itself normalised goes through here too: it leaves the values in statements like ALTER ROLE.
    """
    shown = " ".join(_TOKEN.sub(_replaced, text).split())
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _replaced(match: re.Match[str]) -> str:
    if match["kept"]:
        return match["kept"]
    return " " if match["comment"] else "?"
