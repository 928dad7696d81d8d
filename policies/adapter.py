"""The rules as policies of the Pulumi SDK.

Each rule is a policy of its own, so that the engine reports it under its own name. What they share is read once:

* The SDK hands every policy its own copy of a resource; the first that asks turns it into plain data for all.
* A stack policy sees outputs, in which the cluster's defaults (one replica, say) look as if somebody had asked for
  them. The inputs that the engine showed for each resource before are kept, and the stack is judged on those.
* The SDK strips the mark of a secret from everything but remediations. One policy that remediates nothing listens there
  and records where the secrets are, so that no rule ever sees one.
* An unknown value is no violation: the SDK turns ``UnknownValueError`` into an advisory message, whatever
  the policy's level.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypedDict, TypeVar, cast

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

from policies.index import StackIndex
from policies.judging import judge_resource, judge_stack
from policies.kinds import kind_of
from policies.model import Meta, Outcome, Resource, ResourceRule, Rule, StackRule, Verdict
from policies.plain import Path, Plain, mark_secrets, secret_paths, to_plain

SECRETS_POLICY: Final = "secrets-stay-unseen"

_T = TypeVar("_T")


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


class Adapter:
    """The policies of a pack, and what they have been shown in this run of the engine."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._lock = threading.Lock()
        self._secrets: dict[str, tuple[Path, ...]] = {}
        self._inputs: dict[str, dict[str, Plain]] = {}
        self._resource: _OncePerRequest[Resource] = _OncePerRequest()
        self._index: _OncePerRequest[StackIndex] = _OncePerRequest()

    def policies(self) -> list[Policy]:
        """One policy a rule, and the one that listens for secrets and inputs."""
        return [self._listener(), *(self._policy(rule) for rule in self._rules)]

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

    def _policy(self, rule: Rule) -> Policy:
        if isinstance(rule, ResourceRule):
            return ResourceValidationPolicy(**_described(rule.meta), validate=self._resource_validation(rule))
        return StackValidationPolicy(**_described(rule.meta), validate=self._stack_validation(rule))

    def _resource_validation(self, rule: ResourceRule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if not rule.applies(kind_of(args.resource_type)):
                return
            resource = self._resource.get(args.urn, rule.meta.name, lambda: self._read(args))
            _report(judge_resource(rule, resource, args.get_config()), lambda message, _urn: report(message, None))

        return validate

    def _stack_validation(self, rule: StackRule) -> Callable[[StackValidationArgs, ReportViolation], None]:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            index = self._index.get("", rule.meta.name, lambda: StackIndex(map(self._join, args.resources)))
            _report(judge_stack(rule, index, args.get_config()), lambda message, urn: report(message, urn or None))

        return validate

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


class _Described(TypedDict):
    name: str
    description: str
    enforcement_level: EnforcementLevel
    severity: SdkSeverity
    remediation_steps: str
    url: str
    config_schema: PolicyConfigSchema | None


def _described(meta: Meta) -> _Described:
    schema = {parameter.name: {**parameter.schema, "default": parameter.default} for parameter in meta.parameters}
    return {
        "name": meta.name,
        "description": meta.description,
        "enforcement_level": EnforcementLevel(meta.level.value),
        "severity": SdkSeverity(meta.severity.value),
        "remediation_steps": meta.remediation,
        "url": meta.section.link,
        "config_schema": PolicyConfigSchema(schema) if schema else None,
    }


def _report(verdict: Verdict, report: Callable[[str, str], None]) -> None:
    """Tell the engine. What is not yet known goes last: it is raised, and raising ends the policy."""
    for finding in verdict.findings:
        if finding.judgement.outcome is not Outcome.UNKNOWN:
            report(finding.message, finding.urn)
    waiting = verdict.of(Outcome.UNKNOWN)
    if waiting:
        raise NotYetKnownError("\n".join(finding.message for finding in waiting))
