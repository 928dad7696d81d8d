"""Removes secrets from a text."""

from __future__ import annotations

import re
from typing import Final

from scripts.redact import addresses, announced, frames, keys, manifests, pairs, programs, shapes

# Most cells of a table and most keys of a result. What names a secret stands in another word.
_ONE_WORD: Final = re.compile(r"[\w.,+-]*")


def clean(text: str) -> str:
    """``text`` without any announced secret, and without what its shape, its key or its frame shows to be one."""
    text = announced.without(text)
    if _ONE_WORD.fullmatch(text):
        return shapes.masked(text)
    text = keys.masked(text)
    text = manifests.masked(text)
    text = addresses.masked(text)
    text = frames.masked(text)
    text = programs.masked(text)
    text = shapes.masked(text)
    return pairs.masked(text)
