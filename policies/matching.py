"""What a route or an inhibition of Alertmanager takes: its matchers, asked by what is known of an alert's labels.

A regular expression fits a whole value; a label that an alert lacks is empty (Alertmanager, "Configuration": matcher).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from policies.plain import Node


class Share(Enum):
    """How many of the alerts fit."""

    ALL = auto()
    SOME = auto()
    NONE = auto()
    # Not yet known.
    UNKNOWN = auto()


_EQUAL: Final = "="
_EVERYTHING: Final = frozenset({".*", "(.*)", "^.*$", "|.+", ".+|"})


def taken(matchers: Node, labels: Mapping[str, str]) -> Share:
    """How many of the alerts with these labels, and any others, fit all matchers; all where there are none."""
    if matchers.hidden:
        return Share.UNKNOWN
    return together(_fitting(matcher, labels) for matcher in matchers.elements())


def takes_all(matchers: Node, labels: Mapping[str, str]) -> bool | None:
    """Whether every alert with these labels, and any others, fits all matchers; None while that is not yet known."""
    if matchers.hidden:
        return None
    found = {_fitting(matcher, labels) for matcher in matchers.elements()}
    return False if found & {Share.NONE, Share.SOME} else (None if Share.UNKNOWN in found else True)


def together(shares: Iterable[Share]) -> Share:
    """How many are left when each share is taken of what the others leave."""
    found = set(shares)
    return next((share for share in (Share.NONE, Share.UNKNOWN, Share.SOME) if share in found), Share.ALL)


def names(matchers: Node, label: str) -> frozenset[str] | None:
    """The values of a label that matchers write out; None where they do not, by a pattern or an opposite."""
    found: frozenset[str] | None = None
    for matcher in matchers.elements():
        if matcher.at("name").text == label:
            kind, value = kind_of(matcher), matcher.at("value").text or ""
            if kind == _EQUAL:
                stated = frozenset({value})
            elif kind == "=~" and re.fullmatch(r"[\w|-]+", value):
                stated = frozenset(value.split("|"))
            else:
                continue
            found = stated if found is None else found & stated
    return found


def kind_of(matcher: Node) -> str:
    """The operator of a matcher; the older field ``regex`` says it, too."""
    return matcher.at("matchType").text or ("=~" if matcher.at("regex").value is True else _EQUAL)


def _fitting(matcher: Node, labels: Mapping[str, str]) -> Share:
    name, value, kind = matcher.at("name"), matcher.at("value"), kind_of(matcher)
    if matcher.hidden or name.hidden or value.hidden or matcher.at("matchType").hidden:
        return Share.UNKNOWN
    wanted, pattern = value.text or "", kind.endswith("~")
    label = labels.get(name.text or "")
    if label is None:
        return Share.ALL if kind == "=~" and wanted in _EVERYTHING else Share.SOME
    fits = _matches(wanted, label) if pattern else wanted == label
    if fits is None:
        return Share.SOME
    return Share.ALL if fits is (kind in (_EQUAL, "=~")) else Share.NONE


@lru_cache(maxsize=512)
def _matches(pattern: str, text: str) -> bool | None:
    """Whether a regular expression fits a whole text; None where it is none."""
    try:
        return re.fullmatch(pattern, text) is not None
    except (re.error, RecursionError, OverflowError):
        return None
