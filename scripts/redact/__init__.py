"""Keeps secrets out of everything that the program writes: one function, ``clean``, for every text that leaves it.

What a reader of a secret announces with ``hide`` is removed by its value, in each spelling that a message can repeat.
What was never announced is removed by its shape (``shapes``), by the key that names it (``pairs``, ``names``) or by the
frame around it (``frames``). Only the value is masked: its key and the rest of the line stay.

Each pass takes time in proportion to the text: no pattern has a quantifier inside a quantifier, and none reads on from
a place that an earlier attempt has read already.
"""

from __future__ import annotations

from scripts.redact.announced import hide
from scripts.redact.names import names_secret
from scripts.redact.rules import MASK
from scripts.redact.structures import plain
from scripts.redact.text import clean

__all__ = ["MASK", "clean", "hide", "names_secret", "plain"]
