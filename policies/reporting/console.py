"""The report that people read in a terminal: 80 columns are enough."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from policies.model import Outcome
from policies.reporting.result import Entry, Result, Standing, printable

_LEAST_WIDTH: Final = 60
_INDENT: Final = "  "
# Not yet known is nobody's fault: they are counted, and named in the forms that programs read.
_SHOWN: Final = (Standing.MANDATORY, Standing.ADVISORY, Standing.WAIVED)


def text(result: Result, width: int = 80) -> str:
    """A block for each rule with a finding, then a line of counts. No line is wider than ``width``."""
    wide = max(width, _LEAST_WIDTH)
    lines: list[str] = []
    for standing in _SHOWN:
        entries = [entry for entry in result.entries if entry.standing is standing]
        for _, group in groupby(entries, key=lambda entry: entry.finding.rule.name):
            lines += [*_block(list(group), wide), ""]
    lines += _waiting(result, wide)
    for title, skipped in (("PASSED OVER", result.passed_over), ("NOT READ", result.broken)):
        if skipped:
            lines += [title, *(row for each in skipped for row in _wrapped(str(each), wide, _INDENT)), ""]
    return "\n".join([*lines, *textwrap.wrap(result.summary, wide)]) + "\n"


def _block(entries: list[Entry], width: int) -> Iterator[str]:
    first = entries[0]
    rule = first.finding.rule
    yield from _wrapped(
        f"{first.standing.upper()}  {rule.name}  ({rule.severity}, runbook {rule.section.number})", width
    )
    for entry in entries:
        yield from _rows(entry, width)
    if first.standing is not Standing.WAIVED:
        yield from _wrapped(f"mend: {rule.remediation}", width, _INDENT)


def _rows(entry: Entry, width: int) -> Iterator[str]:
    verdict = entry.finding.judgement
    where = f"{entry.location.file}:{entry.location.line}"
    yield from _wrapped(f"{entry.finding.resource}  {where}", width, _INDENT)
    if verdict.outcome is Outcome.FAILED:
        yield from _wrapped(f"the rule itself failed ({verdict.found}): report it", width, _INDENT * 2)
        return
    yield from _wrapped(f"{verdict.path} is {verdict.found}; allowed: {verdict.allowed}", width, _INDENT * 2)
    if entry.waiver is not None:
        waiver = entry.waiver
        said = f"waived until {waiver.expires} by {waiver.owner}, {waiver.ticket}: {waiver.reason}"
        yield from _wrapped(said, width, _INDENT * 2)


def _waiting(result: Result, width: int) -> Iterable[str]:
    waiting = [entry.finding for entry in result.entries if entry.standing is Standing.UNKNOWN]
    if not waiting:
        return []
    names = ", ".join(sorted({finding.rule.name for finding in waiting}))
    return [*_wrapped(f"NOT YET KNOWN  {len(waiting)} facts, judged when they are: {names}", width), ""]


def _wrapped(line: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        printable(line), width, initial_indent=indent, subsequent_indent=indent + _INDENT, break_on_hyphens=False
    )
