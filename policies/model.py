"""What a rule is, what it judges, and what a judgement says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policies import kinds
from policies.plain import MISSING, SECRET, UNKNOWN, Node, Partial, Plain, show
from runbook.sections import Section

if TYPE_CHECKING:
    from policies.index import StackIndex


class Severity(StrEnum):
    """How bad a violation is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Level(StrEnum):
    """What a violation does to a preview or update."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"


class Outcome(StrEnum):
    """What a judgement came to. FAILED: the rule itself broke, which counts as a violation."""

    PASSED = "passed"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the rules see it.

    ``properties`` are the inputs wherever the engine showed them, else the outputs. ``links`` maps a property to the
    URNs of the resources that its value was computed from: it joins resources while the value itself is not yet known.
    """

    type: str
    name: str
    urn: str
    properties: dict[str, Plain]
    protect: bool = False
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    # What rules have found out about the resource and others ask for again (its containers, say).
    notes: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)

    @property
    def kind(self) -> str:
        """The type without API version, as in ``policies.kinds``."""
        return kinds.kind_of(self.type)

    @property
    def root(self) -> Node:
        """All properties."""
        return Partial(self.properties) if self.partial else Node(self.properties)

    @property
    def partial(self) -> bool:
        """It changes an object that somebody else made: what it does not state is not known."""
        return kinds.is_patch(self.type)

    @property
    def namespace(self) -> str | None:
        """The namespace, where it is stated and known."""
        return self.at("metadata", "namespace").text

    @property
    def object_name(self) -> str | None:
        """The name in Kubernetes, where it is stated and known."""
        return self.at("metadata", "name").text

    def at(self, *keys: str) -> Node:
        """A place in the properties."""
        return self.root.at(*keys)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One fact that a rule looked at: where, what it found, what is allowed."""

    outcome: Outcome
    path: str
    found: str
    allowed: str


# Most facts pass, and nobody hears of them: they need no words.
PASSED: Final = Judgement(Outcome.PASSED, "", "", "")


def expect(node: Node, test: Callable[[Plain], bool], allowed: str) -> Judgement:
    """Judge the value at ``node``: ``test`` says whether it is as ``allowed`` words it; a ValueError counts as no.

    An unknown value is not judged yet. A secret fails: what cannot be read cannot be vouched for.
    """
    value = node.value
    if value is UNKNOWN:
        return undecided(node.path, allowed)
    if value is SECRET:
        return Judgement(Outcome.VIOLATED, node.path, show(value), f"{allowed}, stated in plain")
    try:
        passed = test(value)
    except ValueError:
        passed = False
    if passed:
        return PASSED
    return Judgement(Outcome.VIOLATED, node.path, show(value), allowed)


def expect_present(node: Node, allowed: str) -> Judgement:
    """Judge that there is a value, be it a secret or not yet known."""
    return decide(False, node.path, show(node.value), allowed) if node.value is MISSING else PASSED


def expect_some(node: Node, allowed: str) -> Judgement:
    """Judge that there is a list with something in it, or one that is a secret or not yet known."""
    return decide(node.value not in (MISSING, []), node.path, show(node.value), allowed)


def expect_equal(node: Node, wanted: Plain) -> Judgement:
    """Judge that the value is ``wanted``."""
    return expect(node, lambda value: type(value) is type(wanted) and value == wanted, show(wanted))


def decide(passed: bool | None, path: str, found: str, allowed: str) -> Judgement:
    """A judgement that the rule came to by itself; None: it waits for a value."""
    if passed is None:
        return undecided(path, allowed)
    return PASSED if passed else Judgement(Outcome.VIOLATED, path, found, allowed)


def among(found: bool, *, unsure: bool) -> bool | None:
    """Whether something is there, by what can be read; None: it is not, and not everything can be read yet."""
    return found or (None if unsure else False)


def undecided(path: str, allowed: str) -> Judgement:
    """A judgement that waits for a value."""
    return Judgement(Outcome.UNKNOWN, path, UNKNOWN.value, allowed)


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a stack may set on a rule: its JSON ``schema`` admits only values at least as strict as ``default``."""

    name: str
    schema: Mapping[str, object]
    default: object


Parameters: TypeAlias = Mapping[str, object]
ResourceJudge: TypeAlias = Callable[[Resource, Parameters], Iterable[Judgement]]
StackJudge: TypeAlias = "Callable[[StackIndex, Parameters], Iterable[tuple[Resource, Judgement]]]"


@dataclass(frozen=True, slots=True)
class Meta:
    """What is said about a rule. ``remediation`` tells a reader of a violation what to do.

    ``reference`` names the controls of public frameworks that ask for the same, where some do. A rule that is not
    ``waivable`` holds for everybody.
    """

    name: str
    description: str
    severity: Severity
    section: Section
    remediation: str
    level: Level = Level.MANDATORY
    parameters: tuple[Parameter, ...] = ()
    waivable: bool = True
    reference: str = ""

    def of_resource(self, applies: Callable[[str], bool], judge: ResourceJudge) -> ResourceRule:
        """The rule of which this is said, over one resource at a time."""
        return ResourceRule(self, applies, judge)

    def of_stack(self, judge: StackJudge) -> StackRule:
        """The rule of which this is said, over the whole stack."""
        return StackRule(self, judge)


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """A rule over one resource at a time; ``applies`` filters by kind before anything is read."""

    meta: Meta
    applies: Callable[[str], bool]
    judge: ResourceJudge


@dataclass(frozen=True, slots=True)
class StackRule:
    """A rule over the whole stack; it names the resource of each judgement."""

    meta: Meta
    judge: StackJudge


Rule: TypeAlias = ResourceRule | StackRule


@dataclass(frozen=True, slots=True)
class Finding:
    """A judgement that somebody must hear of, with its rule and resource: what every report is made of."""

    rule: Meta
    resource: str
    urn: str
    judgement: Judgement

    @property
    def message(self) -> str:
        """One line: rule, resource, place, what was found, what is allowed, the runbook's section, and what to do."""
        verdict = self.judgement
        where = f"{self.rule.name}: {self.resource}"
        if verdict.outcome is Outcome.FAILED:
            return f"{where}: the rule itself failed ({verdict.found}) and vouches for nothing here. Report it."
        tail = f"allowed: {verdict.allowed}. Runbook {self.rule.section} ({self.rule.section.link})."
        if verdict.outcome is Outcome.UNKNOWN:
            return f"{where}: {verdict.path} is not yet known and is judged when it is; {tail}"
        return f"{where}: {verdict.path} is {verdict.found}; {tail} {self.rule.remediation}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule came to: ``matched`` counts the facts it looked at, so that a pass on nothing shows."""

    matched: int
    findings: tuple[Finding, ...]

    def of(self, outcome: Outcome) -> tuple[Finding, ...]:
        """The findings with that outcome."""
        return tuple(finding for finding in self.findings if finding.judgement.outcome is outcome)
