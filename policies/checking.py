"""A whole check: all rules over all resources of a source, with a stack's configuration and waivers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from policies.configuring.configuration import Configuration
from policies.index import StackIndex
from policies.judging import Panel
from policies.model import Finding, Rule, Verdict
from policies.reporting.result import Entry, Result, Standing, in_order, standing_of
from policies.sources.source import Location, Source
from policies.waiving import waiver as waivers
from policies.waiving.applying import Ledger


def check(source: Source, rules: Iterable[Rule], configuration: Configuration, ledger: Ledger) -> Result:
    """Judges everything and returns what there is to tell."""
    enabled = configuration.enabled(rules)
    matched: Counter[str] = Counter({rule.meta.name: 0 for rule in enabled})
    findings: list[Finding] = []

    def take(verdicts: Iterable[tuple[Rule, Verdict]]) -> None:
        for rule, verdict in verdicts:
            matched[rule.meta.name] += verdict.matched
            findings.extend(verdict.findings)

    panel = Panel(enabled, configuration.parameters)
    for resource in source.resources:
        take(panel.of_resource(resource))
    take(panel.of_stack(StackIndex(source.resources)))
    # A source reads a document anew for the lines of its findings: all of one document come together.
    findings.sort(key=lambda finding: finding.urn)
    entries = [_entry(source, finding, configuration, ledger) for finding in findings]
    entries += [Entry(finding, Standing.MANDATORY, Location(ledger.file)) for finding in ledger.leftovers()]
    metas = (*(rule.meta for rule in enabled), waivers.META)
    levels = {meta.name: configuration.level(meta) for meta in metas}
    ordered = in_order(entries, metas)
    return Result(
        ordered,
        metas,
        levels,
        matched,
        len(source.resources),
        len(ledger.entries),
        tuple(source.passed_over),
        tuple(source.broken),
    )


def _entry(source: Source, finding: Finding, configuration: Configuration, ledger: Ledger) -> Entry:
    waiver = ledger.waiver_of(finding)
    standing = standing_of(finding, configuration.level(finding.rule), waiver)
    return Entry(finding, standing, source.locate(finding), waiver)
