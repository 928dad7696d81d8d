"""JUnit's XML, which every CI shows: a test case for each rule that passed, and for each finding of the others."""

from __future__ import annotations

from collections import defaultdict
from typing import Final
from xml.sax.saxutils import quoteattr

from policies.model import Meta, Outcome
from policies.reporting.result import Entry, Result, Standing
from policies.sources.source import Skipped

_SUITE: Final = "crypto-policy"
# XML 1.0 has no place for other control characters, not even escaped ones.
_WHITE: Final = {"\t", "\n", "\r"}


def text(result: Result) -> str:
    """One suite. A rule's own failure is an error, a waived or not yet known finding is skipped."""
    by_rule: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in result.entries:
        by_rule[entry.finding.rule.name].append(entry)
    cases = [case for meta in result.rules for case in _cases(meta, by_rule[meta.name])]
    cases += [_unjudged("not-read", each, 'error type="file"') for each in result.broken]
    cases += [_unjudged("passed-over", each, "skipped") for each in result.passed_over]
    broken = sum(_broken(entry) for entry in result.entries)
    failed = result.count(Standing.MANDATORY) + result.count(Standing.ADVISORY) - broken
    skipped = result.count(Standing.UNKNOWN) + result.count(Standing.WAIVED) + len(result.passed_over)
    broken += len(result.broken)
    counts = f'tests="{len(cases)}" failures="{failed}" errors="{broken}" skipped="{skipped}"'
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {counts}>\n  <testsuite name="{_SUITE}" {counts}>\n'
    return head + "".join(cases) + "  </testsuite>\n</testsuites>\n"


def _cases(meta: Meta, entries: list[Entry]) -> list[str]:
    if not entries:
        return [f"    <testcase classname={_quoted(meta.name)} name={_quoted(meta.description)}/>\n"]
    return [_case(entry) for entry in entries]


def _case(entry: Entry) -> str:
    finding = entry.finding
    name = f"{finding.resource} {finding.judgement.path}".strip()
    place = f"file={_quoted(entry.location.file)} line={_quoted(str(entry.location.line))}"
    message = _quoted(finding.message)
    if _broken(entry):
        said = f'<error type="rule" message={message}/>'
    elif entry.standing in (Standing.MANDATORY, Standing.ADVISORY):
        said = f"<failure type={_quoted(str(entry.standing))} message={message}/>"
    else:
        why = f"waived until {entry.waiver.expires} by {entry.waiver.owner}: " if entry.waiver else ""
        said = f"<skipped message={_quoted(why + finding.message)}/>"
    return f"    <testcase classname={_quoted(finding.rule.name)} name={_quoted(name)} {place}>{said}</testcase>\n"


def _unjudged(group: str, skipped: Skipped, element: str) -> str:
    said = f"<{element} message={_quoted(skipped.why)}/>"
    return f"    <testcase classname={_quoted(group)} name={_quoted(skipped.file)}>{said}</testcase>\n"


def _broken(entry: Entry) -> bool:
    return entry.finding.judgement.outcome is Outcome.FAILED


def _quoted(value: str) -> str:
    return quoteattr("".join(sign if sign >= " " or sign in _WHITE else "?" for sign in value))
