"""The pack spoken to as the engine does, secrets and unknowns included.

Once behind the SDK's own servicer with its proxies, once behind the pack's, which answers without the SDK.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

from google.protobuf import struct_pb2
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer  # pyright: ignore[reportPrivateUsage]
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policies.adapter import crypto_policies
from policies.catalogue import ALL
from policies.model import Rule, StackRule
from policies.plain import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN
from policies.protocol.pack import Pack
from policies.protocol.servicer import Servicer
from policies.waiving.reading import default_file
from tests.policies.stack import Declared, Stack, good_stack


def secret(value: object) -> dict[str, object]:
    """A secret as it stands on the wire."""
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value}


SDK: Final = "the SDK's servicer"
OWN: Final = "the pack's servicer"
SERVICERS: Final = (SDK, OWN)
_LEVELS: Final = {
    "advisory": proto.ADVISORY,
    "mandatory": proto.MANDATORY,
    "remediate": proto.REMEDIATE,
    "disabled": proto.DISABLED,
}


class Context:
    """A call's context, as far as a servicer ends a call through it."""

    def abort(self, code: Any, details: str) -> None:
        raise RuntimeError(f"{code.name}: {details}")


class Engine:
    """One run of the engine with the pack: what ``pulumi preview`` asks, in its order."""

    def __init__(self, rules: Iterable[Rule] = ALL, servicer: str = SDK, folder: Path = Path("nowhere")) -> None:
        self.servicer: Any = (
            _PolicyAnalyzerServicer(
                "crypto", "0.0.1", crypto_policies(default_file(folder), rules), EnforcementLevel.MANDATORY
            )
            if servicer == SDK
            else Servicer(Pack(rules, folder))
        )

    def configure(self, given: Mapping[str, Any]) -> None:
        """The stack's configuration, as ``--policy-pack-config`` has it."""
        config: dict[str, Any] = {}
        for name, said in json.loads(json.dumps(given)).items():
            level = said.pop("enforcementLevel", "mandatory")
            config[name] = proto.PolicyConfig(enforcementLevel=_LEVELS[level], properties=_struct(said))
        self.servicer.Configure(proto.ConfigureAnalyzerRequest(policyConfig=config), Context())

    def remediate(self, declared: Declared) -> list[Any]:
        """The remediations of one resource's inputs."""
        request = proto.AnalyzeRequest(
            type=declared.type, urn=declared.urn, name=declared.name, properties=_sent(declared)
        )
        return list(self.servicer.Remediate(request, None).remediations)

    def analyze(self, declared: Declared) -> list[Any]:
        """Diagnostics of one resource's inputs."""
        request = proto.AnalyzeRequest(
            type=declared.type,
            urn=declared.urn,
            name=declared.name,
            properties=_sent(declared),
            options=proto.AnalyzerResourceOptions(protect=declared.protect),
        )
        assert list(self.servicer.Remediate(request, None).remediations) == []
        return list(self.servicer.Analyze(request, None).diagnostics)

    def analyze_stack(self, stack: Stack, outputs: Mapping[str, dict[str, Any]] | None = None) -> list[Any]:
        """Diagnostics of the stack; ``outputs`` by resource where they differ from the inputs."""
        resources = [
            proto.AnalyzerResource(
                type=declared.type,
                urn=declared.urn,
                name=declared.name,
                properties=_struct(outputs[declared.name]) if outputs and declared.name in outputs else _sent(declared),
                options=proto.AnalyzerResourceOptions(protect=declared.protect),
                propertyDependencies={
                    key: proto.AnalyzerPropertyDependencies(urns=[stack[name].urn for name in names])
                    for key, names in declared.links.items()
                },
            )
            for declared in stack.values()
        ]
        return list(self.servicer.AnalyzeStack(proto.AnalyzeStackRequest(resources=resources), None).diagnostics)

    def judge(self, stack: Stack, *resources: str, outputs: Mapping[str, dict[str, Any]] | None = None) -> list[Any]:
        """Diagnostics of some resources and of the stack that they are in."""
        found = [diagnostic for name in resources for diagnostic in self.analyze(stack[name])]
        return [*found, *self.analyze_stack(stack, outputs)]

    def preview(self, stack: Stack) -> list[Any]:
        """Diagnostics of a whole preview."""
        return self.judge(stack, *stack)


def ask(rule: Rule, stack: Stack, servicer: str) -> list[Any]:
    """What the engine hears of one rule where a stack differs from the good one."""
    engine, good = Engine((rule,), servicer), good_stack()
    if isinstance(rule, StackRule):
        return engine.preview(stack)
    changed = [name for name, declared in stack.items() if good.get(name) is not declared]
    return [diagnostic for name in changed for diagnostic in engine.analyze(stack[name])]


def names(diagnostics: Iterable[Any], level: int = proto.MANDATORY) -> set[str]:
    """Names of the policies that spoke at a level."""
    return {diagnostic.policyName for diagnostic in diagnostics if diagnostic.enforcementLevel == level}


@lru_cache(maxsize=512)
def _sent(declared: Declared) -> struct_pb2.Struct:
    """A resource's properties on the wire, the same message each time."""
    return _struct(declared.properties)


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(_wire(properties))
    return struct


def _wire(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, dict):
        return {key: _wire(element) for key, element in cast("dict[str, Any]", value).items()}
    return [_wire(element) for element in cast("list[Any]", value)] if isinstance(value, list) else value
