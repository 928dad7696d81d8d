"""The result of a check: what every report is made of, in an order that does not change between runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.configuring.levels import BLOCKING, Enforcement
from policies.model import Finding, Meta, Outcome
from policies.sources.source import Location, Skipped
from policies.waiving.waiver import Waiver

# Controls of terminals, and those of Unicode that turn the direction of text or end a line.
_STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Standing(StrEnum):
    """What a finding does to the check, worst first."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"
    UNKNOWN = "not yet known"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding in a report: how it stands, where it lies, and who excuses it."""

    finding: Finding
    standing: Standing
    location: Location
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A whole check. ``matched`` counts the facts that each rule looked at, by the rule's name."""

    entries: tuple[Entry, ...]
    rules: tuple[Meta, ...]
    levels: Mapping[str, Enforcement]
    matched: Mapping[str, int]
    resources: int
    waivers: int
    passed_over: tuple[Skipped, ...] = ()
    broken: tuple[Skipped, ...] = ()

    def count(self, standing: Standing) -> int:
        """How many findings stand so."""
        return Counter(entry.standing for entry in self.entries)[standing]

    @property
    def clean(self) -> bool:
        """Nothing stops an update."""
        return self.count(Standing.MANDATORY) == 0

    @property
    def summary(self) -> str:
        """One line: what was found, and how much was looked at."""
        found = ", ".join(f"{self.count(standing)} {standing}" for standing in Standing)
        looked = f"{sum(self.matched.values())} facts of {self.resources} resources by {len(self.rules)} rules"
        left = [f"{len(self.passed_over)} passed over"] if self.passed_over else []
        left += [f"{len(self.broken)} not read"] if self.broken else []
        return "; ".join([found, looked, f"{self.waivers} waivers", *left])


def printable(text: str) -> str:
    """``text`` with its control characters visible: none of a file's reaches a terminal."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def standing_of(finding: Finding, level: Enforcement, waiver: Waiver | None) -> Standing:
    """How a finding stands at its rule's level."""
    if waiver is not None:
        return Standing.WAIVED
    if finding.judgement.outcome is Outcome.UNKNOWN:
        return Standing.UNKNOWN
    return Standing.MANDATORY if level in BLOCKING else Standing.ADVISORY


def in_order(entries: Sequence[Entry], rules: Sequence[Meta]) -> tuple[Entry, ...]:
    """Worst first, then as the catalogue lists the rules, then by resource and place."""
    position = {meta.name: number for number, meta in enumerate(rules)}
    standings = list(Standing)

    def key(entry: Entry) -> tuple[object, ...]:
        finding = entry.finding
        place = (finding.resource, finding.urn, finding.judgement.path, finding.judgement.found)
        return (standings.index(entry.standing), position[finding.rule.name], *place)

    return tuple(sorted(entries, key=key))
