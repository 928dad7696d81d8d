"""Matching waivers with findings: exactly, and with what is left over told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from policies.model import Finding, Outcome
from policies.waiving.reading import Waivers
from policies.waiving.waiver import Waiver, complaint


class Ledger:
    """The waivers of a run and what each was needed for: findings come first, ``leftovers`` is asked at the end."""

    def __init__(self, waivers: Waivers) -> None:
        self.file = waivers.file
        self._complaints = waivers.complaints
        self._entries = waivers.entries
        self._by_key: dict[tuple[str, str], Waiver] = {}
        self._twice: list[Finding] = []
        self._used: defaultdict[Waiver, set[str]] = defaultdict(set)
        for waiver in waivers.entries:
            first = self._by_key.setdefault((waiver.rule, waiver.resource), waiver)
            if first is not waiver:
                self._twice.append(complaint(waiver.title, "the entry", f"the same as {first.place}", "one entry"))

    @property
    def entries(self) -> tuple[Waiver, ...]:
        """The waivers that count."""
        return self._entries

    def waiver_of(self, finding: Finding) -> Waiver | None:
        """The waiver that excuses a violation. What broke or is not yet known cannot be excused."""
        waiver = self._match(finding)
        if waiver is None or finding.judgement.outcome is Outcome.FAILED:
            return None
        # What is not yet known may turn out to need the waiver: it is not left over, and excuses nothing yet.
        self._used[waiver].add(finding.urn)
        return waiver if finding.judgement.outcome is Outcome.VIOLATED else None

    def _match(self, finding: Finding) -> Waiver | None:
        name = finding.rule.name
        by_urn = self._by_key.get((name, finding.urn)) if finding.urn else None
        return by_urn or self._by_key.get((name, finding.resource))

    def leftovers(self) -> tuple[Finding, ...]:
        """What is wrong with the waivers after all findings have been shown."""
        return (*self._complaints, *self._twice, *self._idle(), *self._ambiguous())

    def _idle(self) -> Iterable[Finding]:
        for waiver in self._by_key.values():
            if waiver not in self._used:
                yield complaint(waiver.title, "the entry", "not needed", "an entry that excuses a violation")

    def _ambiguous(self) -> Iterable[Finding]:
        for waiver, urns in self._used.items():
            if len(urns) > 1:
                found = f"the name of {len(urns)} resources"
                yield complaint(waiver.title, "resource", found, f"one of them by its URN: {', '.join(sorted(urns))}")


def counted(waived: Collection[Finding]) -> str:
    """What a preview says of the findings that are waived."""
    names = sorted({f"{finding.rule.name} of {finding.resource}" for finding in waived})
    return f"waivers: {len(waived)} findings are waived: {', '.join(names)}"
