"""Text from outside, made harmless for a terminal: what would steer it is shown and does nothing."""

from __future__ import annotations

import json
import re
from typing import Final

# Control characters (ESC, CSI, bell, carriage return), what turns the direction of a line or ends it, and halves of
# characters, which cannot be written at all. Line feed and tab are left to those who call.
_HIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def document(text: str) -> str:
    """``text`` with its lines, and with each sign that a terminal would obey as ``\\x1b``."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def line(text: str) -> str:
    """``text`` as one line: as a ``document``, with the end of a line as ``\\n``."""
    return document(text).replace("\n", "\\n")


def json_line(value: object) -> str:
    """Plain data as one line of JSON; what would steer a terminal is escaped, and reads back as it was."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
