"""One run of the engine with the pack: what it was told, what it has been shown, and what it says to each resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policies.configuring.configuration import (
    LEVEL_KEY,
    WAIVERS_KEY,
    WAIVERS_PARAMETER,
    Configuration,
    ConfigurationError,
    configuration,
)
from policies.configuring.levels import BLOCKING, Enforcement
from policies.index import StackIndex
from policies.judging import Panel
from policies.model import Finding, Meta, Outcome, Resource, ResourceRule, Rule
from policies.plain import Plain
from policies.remediation.changes import REMEDIES, Change
from policies.waiving.applying import Ledger, counted
from policies.waiving.reading import Waivers, default_file, today, waivers
from policies.waiving.waiver import META

NAME: Final = "crypto"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What the engine is told: a violation that stops an update, or advice."""

    rule: Meta
    message: str
    blocking: bool
    urn: str


class Pack:
    """The rules of a run. Called by one request at a time."""

    def __init__(self, rules: Iterable[Rule], folder: Path) -> None:
        self.rules = tuple(rules)
        self._folder = folder
        self._seen: dict[str, Resource] = {}
        self._waived: list[Finding] = []
        self.configure({})

    def configure(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes the stack's levels and parameters, and reads its waivers.

        Raises:
            ConfigurationError, WaiversError: the engine ends the run with the message.
        """
        own = {name: said for name, said in given.items() if name != WAIVERS_KEY}
        file = given.get(WAIVERS_KEY, {}).get(WAIVERS_PARAMETER)
        if given.get(WAIVERS_KEY, {}).get(LEVEL_KEY, Enforcement.MANDATORY) not in BLOCKING:
            raise ConfigurationError(f"{WAIVERS_KEY}: allowed: mandatory, for a waiver that does not count is none")
        named = {WAIVERS_KEY: {WAIVERS_PARAMETER: file}} if file else {}
        self.configuration: Configuration = configuration({**own, **named}, self.rules, self._folder)
        enabled = self.configuration.enabled(self.rules)
        self._panel = Panel(enabled, self.configuration.parameters)
        self._remedies = [
            (rule, REMEDIES[rule.meta.name])
            for rule in enabled
            if rule.meta.name in REMEDIES and self.configuration.level(rule.meta) is Enforcement.REMEDIATE
        ]
        self._ledger = Ledger(self._waivers())

    def _waivers(self) -> Waivers:
        path = self.configuration.waivers or default_file(self._folder)
        return waivers(path, {rule.meta.name: rule.meta for rule in self.rules}, today())

    @property
    def mends(self) -> bool:
        """Some rule may mend: most stacks let none, and the engine asks before every single resource."""
        return bool(self._remedies)

    def remedies(self, resource: Resource) -> Iterable[tuple[Meta, Sequence[Change]]]:
        """The changes that the stack lets the rules make, rule by rule."""
        for rule, remedy in self._remedies:
            # A rule over the stack has no kinds: its remedy knows what it is about.
            if not isinstance(rule, ResourceRule) or rule.applies(resource.kind):
                changes = list(remedy(resource))
                if changes:
                    yield rule.meta, changes

    def analyze(self, resource: Resource) -> list[Diagnostic]:
        """What the rules say of a resource."""
        self._seen[resource.urn] = resource
        return self._told(finding for _, verdict in self._panel.of_resource(resource) for finding in verdict.findings)

    def seen(self, urn: str) -> dict[str, Plain] | None:
        """The inputs that the engine has shown: in outputs, the cluster's defaults look as if they were meant."""
        resource = self._seen.get(urn)
        return None if resource is None else resource.properties

    def analyze_stack(self, resources: Iterable[Resource]) -> list[Diagnostic]:
        """What the rules say of the stack, and what is wrong with its waivers."""
        index = StackIndex(resources)
        told = self._told(finding for _, verdict in self._panel.of_stack(index) for finding in verdict.findings)
        told += [_told(finding, blocking=True) for finding in self._ledger.leftovers()]
        if self._waived:
            told.append(Diagnostic(META, counted(self._waived), blocking=False, urn=""))
        return told

    def _told(self, findings: Iterable[Finding]) -> list[Diagnostic]:
        known: list[Diagnostic] = []
        waiting: list[Diagnostic] = []
        for finding in findings:
            if self._ledger.waiver_of(finding) is not None:
                self._waived.append(finding)
            elif finding.judgement.outcome is Outcome.UNKNOWN:
                waiting.append(_told(finding, blocking=False))
            else:
                known.append(_told(finding, blocking=self.configuration.blocks(finding)))
        return [*known, *waiting]


def _told(finding: Finding, *, blocking: bool) -> Diagnostic:
    return Diagnostic(finding.rule, finding.message, blocking, finding.urn)
