"""The pack behind the SDK's own servicer, spoken to as the engine does: proxies, secrets and unknowns included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from google.protobuf import struct_pb2
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer  # pyright: ignore[reportPrivateUsage]
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policies.adapter import Adapter
from policies.catalogue import ALL
from policies.model import Rule
from policies.plain import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN
from tests.policies.stack import Declared, Stack


def secret(value: object) -> dict[str, object]:
    """A secret as it stands on the wire."""
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value}


class Engine:
    """One run of the engine with the pack: what ``pulumi preview`` asks, in its order."""

    def __init__(self, rules: Iterable[Rule] = ALL) -> None:
        self.servicer: Any = _PolicyAnalyzerServicer(
            "crypto", "0.0.1", Adapter(rules).policies(), EnforcementLevel.MANDATORY
        )

    def analyze(self, declared: Declared) -> list[Any]:
        """Diagnostics of one resource's inputs."""
        request = proto.AnalyzeRequest(
            type=declared.type,
            urn=declared.urn,
            name=declared.name,
            properties=_struct(declared.properties),
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
                properties=_struct((outputs or {}).get(declared.name, declared.properties)),
                options=proto.AnalyzerResourceOptions(protect=declared.protect),
                propertyDependencies={
                    key: proto.AnalyzerPropertyDependencies(urns=[stack[name].urn for name in names])
                    for key, names in declared.links.items()
                },
            )
            for declared in stack.values()
        ]
        return list(self.servicer.AnalyzeStack(proto.AnalyzeStackRequest(resources=resources), None).diagnostics)

    def judge(self, stack: Stack, resource: str) -> list[Any]:
        """Diagnostics of one resource and of the stack that it is in."""
        return [*self.analyze(stack[resource]), *self.analyze_stack(stack)]

    def preview(self, stack: Stack, outputs: Mapping[str, dict[str, Any]] | None = None) -> list[Any]:
        """Diagnostics of a whole preview."""
        found = [diagnostic for declared in stack.values() for diagnostic in self.analyze(declared)]
        return [*found, *self.analyze_stack(stack, outputs)]


def names(diagnostics: Iterable[Any], level: int = proto.MANDATORY) -> set[str]:
    """Names of the policies that spoke at a level."""
    return {diagnostic.policyName for diagnostic in diagnostics if diagnostic.enforcementLevel == level}


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
