"""The rules as policies of the Pulumi SDK, for a policy pack of one's own: ``crypto_policies``.

Each rule is a policy of its own, so that the engine reports it under its own name. What they share is read once:

* The SDK hands every policy its own copy of a resource; the first that asks turns it into plain data for all.
* A stack policy sees outputs, in which the cluster's defaults (one replica, say) look as if somebody had asked for
  them. The inputs that the engine showed for each resource before are kept, and the stack is judged on those.
* The SDK strips the mark of a secret from everything but remediations. One policy that remediates nothing listens there
  and records where the secrets are, so that no rule ever sees one.
* An unknown value is no violation: the SDK turns ``UnknownValueError`` into an advisory message, whatever
  the policy's level.
* The SDK tells no policy its level. A policy at ``remediate`` is asked for a remediation before any policy is asked to
  validate: the listener and the rules that nobody is excused from have that level, and who was not asked was lowered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any, Final, Generic, TypedDict, TypeVar, cast

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import Severity as SdkSeverity
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from policies.catalogue import ALL
from policies.configuring.configuration import LEVEL_KEY, ConfigurationError
from policies.configuring.levels import Enforcement
from policies.configuring.schema import parameters_schema
from policies.index import StackIndex
from policies.judging import THE_STACK, judge_resource, judge_stack, misspelt
from policies.kinds import kind_of
from policies.model import Finding, Meta, Outcome, Resource, ResourceRule, Rule, StackRule, Verdict
from policies.plain import Path, Plain, mark_secrets, secret_paths, to_plain
from policies.remediation.changes import REMEDIES, Change
from policies.waiving.applying import Ledger, counted
from policies.waiving.reading import Waivers, WaiversError, today
from policies.waiving.reading import waivers as read_waivers
from policies.waiving.waiver import META as WAIVERS

SECRETS_POLICY: Final = "secrets-stay-unseen"
WAIVED_POLICY: Final = "waived"
LOCKED_POLICY: Final = "locked-levels"

_T = TypeVar("_T")


def crypto_policies(waivers: File | str | None = None, rules: Iterable[Rule] = ALL) -> list[Policy]:
    """The rules as policies for ``PolicyPack(policies=[...])``, with the waivers in a file and their levels locked.

    Each call makes policies for one pack. The rules' own policies are named as in the pack; three more keep secrets
    unseen, count what is waived, and hold locked levels of rules over the stack.

    A file of waivers that cannot be read ends the run at its first resource: what is raised here, the SDK would show
    with the lines of code that led to it.
    """
    chosen = tuple(rules)
    metas = {rule.meta.name: rule.meta for rule in chosen}
    try:
        file = File(waivers) if isinstance(waivers, str) else waivers
        return _Run(chosen, Ledger(read_waivers(file, metas, today()))).policies()
    except WaiversError as error:
        return _Run(chosen, Ledger(Waivers()), unreadable=str(error)).policies()


class NotYetKnownError(UnknownValueError):
    """What a rule could not judge yet, in words of its own."""

    def __init__(self, message: str) -> None:
        super().__init__(UNKNOWN_STRING_VALUE, [])
        self.message = message


@dataclass(slots=True)
class _Held(Generic[_T]):
    key: str
    value: _T
    askers: set[str] = field(default_factory=set[str])


class _OncePerRequest(Generic[_T]):
    """A value that all policies of one request of the engine share.

    The SDK does not say where a request begins. It runs all policies of a request one after the other on one thread,
    and each once: a policy that asks a second time for the same key is in a new request.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def get(self, key: str, asker: str, build: Callable[[], _T]) -> _T:
        """The value for ``key``, built when this request has none yet."""
        held: _Held[_T] | None = getattr(self._local, "held", None)
        if held is None or held.key != key or asker in held.askers:
            held = self._local.held = _Held(key, build())
        held.askers.add(asker)
        return held.value


class _Run:
    """What the policies of a pack have been shown, and have said, in this run of the engine."""

    def __init__(self, rules: tuple[Rule, ...], ledger: Ledger, unreadable: str = "") -> None:
        self._rules = rules
        self._unreadable = unreadable
        self._ledger = ledger
        self._lock = threading.Lock()
        self._secrets: dict[str, tuple[Path, ...]] = {}
        self._inputs: dict[str, dict[str, Plain]] = {}
        self._waived: list[Finding] = []
        # The policies that must stay at the level "remediate", and those of them that have been asked to.
        locked = {rule.meta.name for rule in rules if isinstance(rule, ResourceRule) and not rule.meta.waivable}
        self._to_remediate = {SECRETS_POLICY, *locked}
        self._remediated: set[str] = set()
        self._locked: dict[str, tuple[Finding, ...]] = {}
        self._resource: _OncePerRequest[Resource] = _OncePerRequest()
        self._index: _OncePerRequest[StackIndex] = _OncePerRequest()

    def policies(self) -> list[Policy]:
        """One policy a rule, between the one that hears of secrets first and those that tell what came of it all."""
        return [
            self._listener(),
            *(self._policy(rule) for rule in self._rules),
            StackValidationPolicy(**_described(WAIVERS, EnforcementLevel.MANDATORY), validate=self._leftovers),
            StackValidationPolicy(
                name=WAIVED_POLICY,
                description="Tells which violations are waived.",
                enforcement_level=EnforcementLevel.ADVISORY,
                severity=SdkSeverity.LOW,
                validate=self._count,
            ),
            StackValidationPolicy(
                name=LOCKED_POLICY,
                description="A rule over the stack that nobody is excused from stops an update, whatever its level.",
                enforcement_level=EnforcementLevel.MANDATORY,
                severity=SdkSeverity.HIGH,
                validate=self._repeat_locked,
            ),
        ]

    def _listener(self) -> Policy:
        return ResourceValidationPolicy(
            name=SECRETS_POLICY,
            description="Notes which properties are secret, so that no rule reads or prints one. Changes nothing.",
            enforcement_level=EnforcementLevel.REMEDIATE,
            severity=SdkSeverity.LOW,
            remediate=self._listen,
        )

    def _listen(self, args: ResourceValidationArgs) -> None:
        inputs = cast("dict[str, Plain]", to_plain(args.props))
        paths = tuple(secret_paths(inputs))
        with self._lock:
            self._inputs[args.urn], self._secrets[args.urn] = inputs, paths
            self._remediated.add(SECRETS_POLICY)

    def _policy(self, rule: Rule) -> Policy:
        level = EnforcementLevel(rule.meta.level.value)
        if isinstance(rule, StackRule):
            return StackValidationPolicy(**_described(rule.meta, level), validate=self._stack_validation(rule))
        return ResourceValidationPolicy(
            **_described(rule.meta, EnforcementLevel.REMEDIATE if rule.meta.name in self._to_remediate else level),
            validate=self._resource_validation(rule),
            remediate=self._remediation(rule),
        )

    def _resource_validation(self, rule: ResourceRule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            self._refuse_lowered()
            if not rule.applies(kind_of(args.resource_type)):
                return
            resource = self._resource.get(args.urn, rule.meta.name, lambda: self._read(args))
            self._report(judge_resource(rule, resource, args.get_config()), lambda message, _urn: report(message, None))

        return validate

    def _refuse_lowered(self) -> None:
        # Raising ends the run, whatever the level of the policy that raises.
        self._refuse_unreadable()
        for name in sorted(self._to_remediate - self._remediated):
            raise ConfigurationError(
                f"{name}: {LEVEL_KEY} is another; allowed: {Enforcement.REMEDIATE}, which it has by itself"
            )

    def _refuse_unreadable(self) -> None:
        if self._unreadable:
            raise WaiversError(self._unreadable)

    def _remediation(self, rule: ResourceRule) -> Callable[[ResourceValidationArgs], Any] | None:
        name = rule.meta.name
        remedy = REMEDIES.get(name)
        if remedy is None and name not in self._to_remediate:
            return None

        def remediate(args: ResourceValidationArgs) -> Any:
            with self._lock:
                self._remediated.add(name)
            if remedy is None or not rule.applies(kind_of(args.resource_type)):
                return None
            properties = cast("dict[str, Plain]", to_plain(args.props))
            changes = remedy(Resource(args.resource_type, args.name, args.urn, properties, args.opts.protect))
            made = [_change(args.props, change) for change in changes]
            return args.props if any(made) else None

        return remediate

    def _stack_validation(self, rule: StackRule) -> Callable[[StackValidationArgs, ReportViolation], None]:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            index = self._index.get("", rule.meta.name, lambda: StackIndex(map(self._join, args.resources)))
            verdict = judge_stack(rule, index, args.get_config())
            if not rule.meta.waivable:
                self._locked[rule.meta.name] = tuple(
                    finding for finding in verdict.findings if finding.judgement.outcome is not Outcome.UNKNOWN
                )
            self._report(verdict, lambda message, urn: report(message, urn or None))

        return validate

    def _leftovers(self, args: StackValidationArgs, report: ReportViolation) -> None:
        self._refuse_unreadable()
        wrong = [Finding(WAIVERS, THE_STACK, "", each) for each in misspelt(WAIVERS, args.get_config())]
        for finding in (*wrong, *self._ledger.leftovers()):
            report(finding.message, None)

    def _count(self, _: StackValidationArgs, report: ReportViolation) -> None:
        if self._waived:
            report(counted(self._waived), None)

    def _repeat_locked(self, _: StackValidationArgs, report: ReportViolation) -> None:
        locked = [rule.meta.name for rule in self._rules if isinstance(rule, StackRule) and not rule.meta.waivable]
        for name in locked:
            if name not in self._locked:
                report(f"{name}: {LEVEL_KEY} is {Enforcement.DISABLED}; allowed: {Enforcement.MANDATORY}", None)
            for finding in self._locked.get(name, ()):
                report(self._without_text(finding).message, finding.urn or None)

    def _read(self, args: ResourceValidationArgs) -> Resource:
        with self._lock:
            secrets = self._secrets.get(args.urn, ())
        properties = cast("dict[str, Plain]", mark_secrets(to_plain(args.props), secrets))
        with self._lock:
            self._inputs[args.urn] = properties
        return Resource(args.resource_type, args.name, args.urn, properties, args.opts.protect)

    def _join(self, shown: PolicyResource) -> Resource:
        with self._lock:
            inputs, secrets = self._inputs.get(shown.urn), self._secrets.get(shown.urn, ())
        if inputs is None:
            inputs = cast("dict[str, Plain]", mark_secrets(to_plain(shown.props), secrets))
        links = {key: tuple(other.urn for other in others) for key, others in shown.property_dependencies.items()}
        return Resource(shown.resource_type, shown.name, shown.urn, inputs, shown.opts.protect, links)

    def _report(self, verdict: Verdict, report: Callable[[str, str], None]) -> None:
        """Tell the engine. What is not yet known goes last: it is raised, and raising ends the policy."""
        waiting: list[str] = []
        for finding in verdict.findings:
            with self._lock:
                waived = self._ledger.waiver_of(finding) is not None
                if waived:
                    self._waived.append(finding)
            if finding.judgement.outcome is Outcome.UNKNOWN:
                waiting.append(finding.message)
            elif not waived:
                report(self._without_text(finding).message, finding.urn)
        if waiting:
            raise NotYetKnownError("\n".join(waiting))

    def _without_text(self, finding: Finding) -> Finding:
        """Without a text of what was shown in the stack alone, where the SDK does not say what is secret."""
        judgement = finding.judgement
        if not finding.urn or finding.urn in self._secrets or not judgement.found.startswith('"'):
            return finding
        return replace(finding, judgement=replace(judgement, found="a text"))


def _change(properties: Mapping[str, Any], change: Change) -> bool:
    """Sets a value, making the maps on the way; False where something else is in the way, an asset say."""
    *way, last = change.path
    place: Any = properties
    for step in way:
        if not _holds(place, step):
            return False
        if isinstance(step, str) and place.get(step) is None:
            place[step] = {}
        place = place[step]
    if not _holds(place, last):
        return False
    place[last] = change.value
    return True


def _holds(place: object, step: str | int) -> bool:
    return isinstance(place, Mapping if isinstance(step, str) else Sequence) and not isinstance(place, str)


class _Described(TypedDict):
    name: str
    description: str
    enforcement_level: EnforcementLevel
    severity: SdkSeverity
    remediation_steps: str
    url: str
    config_schema: PolicyConfigSchema | None


def _described(meta: Meta, level: EnforcementLevel) -> _Described:
    schema = parameters_schema(meta)
    return {
        "name": meta.name,
        "description": meta.description,
        "enforcement_level": level,
        "severity": SdkSeverity(meta.severity.value),
        "remediation_steps": meta.remediation,
        "url": meta.section.link,
        "config_schema": PolicyConfigSchema(schema) if schema else None,
    }
