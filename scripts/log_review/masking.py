"""Turns a message into its pattern: what differs from one occurrence to the next is masked."""

from __future__ import annotations

import re
from typing import Final

# What is longer tells apart what belongs together.
LONGEST: Final = 300

_RULES: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?"), "<time>"),
    (re.compile(r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)"), "<value>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<email>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    # A run of letters and digits that is no word: a hash, a request's id, the end of a pod's name.
    (re.compile(r"\b(?=[a-z]*\d)(?=\d*[a-z])[0-9a-z]{5,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"(?<![A-Za-z_])[+-]?\d+(?:[.,:]\d+)*(?:e[+-]?\d+)?"), "<n>"),
)


def pattern(text: str) -> str:
    """``text`` with times, quoted values, ids, addresses, hexadecimal and other numbers masked, on one line."""
    for form, mask in _RULES:
        text = form.sub(mask, text)
    return " ".join(text.split())[:LONGEST]
