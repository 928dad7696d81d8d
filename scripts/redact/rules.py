"""What stands in the place of a secret, and the rules by which a secret is found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

MASK: Final = "***"
Certain = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern with the group ``secret``, and where it is from.

    A text without any of ``hints`` has no such secret; ``certain`` decides where the pattern alone does not.
    """

    origin: str
    pattern: str
    hints: tuple[str, ...]
    certain: Certain | None = None


class Rules:
    """Rules in the order in which they are applied."""

    def __init__(self, rules: Sequence[Rule], flags: int = 0) -> None:
        self.all = rules
        self._flags = flags
        # In one list of pairs: a text without any hint is done with after a tenth of a microsecond for each four.
        self._hints = [(hint, rule) for rule in rules for hint in rule.hints]

    def masked(self, text: str, hinted: str) -> str:
        """``text`` without the secrets of these rules; ``hinted`` is the text as their hints are written."""
        for rule in dict.fromkeys([rule for hint, rule in self._hints if hint in hinted]):
            text = compiled(rule.pattern, self._flags).sub(partial(_masked, rule.certain), text)
        return text


def _masked(certain: Certain | None, found: re.Match[str]) -> str:
    if certain is not None and not certain(found):
        return found[0]
    start, end = (at - found.start() for at in found.span("secret"))
    return f"{found[0][:start]}{MASK}{found[0][end:]}"


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern, compiled when a text first needs it: all of them together take longer than a short command."""
    return re.compile(pattern, flags)


def replaced(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """``text`` with the mask in the place of each span; they are in order, and one inside another does not count."""
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if start >= done:
            parts += (text[done:start], MASK)
            done = end
    return "".join((*parts, text[done:])) if done else text
