"""The calls of the engine, answered from a ``Pack``."""

# ruff: noqa: ARG002, N802 (the names and arguments of the protocol)

from __future__ import annotations

from typing import Any, Final

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as api
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerServicer

from policies.configuring.configuration import LEVEL_KEY, WAIVERS_PARAMETER, ConfigurationError
from policies.configuring.levels import Enforcement
from policies.configuring.schema import parameters_schema
from policies.model import Meta, Resource, ResourceRule, Severity
from policies.protocol import wire
from policies.protocol.pack import NAME, Diagnostic, Pack
from policies.waiving.reading import WaiversError
from policies.waiving.waiver import META

# What the engine takes where PulumiPolicy.yaml says nothing.
VERSION: Final = "0.2.0"
_LEVELS: Final = {
    Enforcement.ADVISORY: api.ADVISORY,
    Enforcement.MANDATORY: api.MANDATORY,
    Enforcement.REMEDIATE: api.REMEDIATE,
    Enforcement.DISABLED: api.DISABLED,
}
_WORDS: Final = {number: level for level, number in _LEVELS.items()}
_SEVERITIES: Final = {
    Severity.LOW: api.POLICY_SEVERITY_LOW,
    Severity.MEDIUM: api.POLICY_SEVERITY_MEDIUM,
    Severity.HIGH: api.POLICY_SEVERITY_HIGH,
    Severity.CRITICAL: api.POLICY_SEVERITY_CRITICAL,
}


class Servicer(AnalyzerServicer):
    """The analyzer's service. Its methods have the names of the protocol."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack

    def Handshake(self, request: Any, context: Any) -> Any:
        return api.AnalyzerHandshakeResponse()

    def ConfigureStack(self, request: Any, context: Any) -> Any:
        return api.AnalyzerStackConfigureResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:
        """Every rule with its level, schema and texts; and the waivers, which are configured like one."""
        policies = [_info(rule.meta, isinstance(rule, ResourceRule)) for rule in self._pack.rules]
        waivers = _info(META, of_resources=False)
        waivers.configSchema.properties.update({WAIVERS_PARAMETER: {"type": "string"}})
        return api.AnalyzerInfo(name=NAME, version=VERSION, supportsConfig=True, policies=[*policies, waivers])

    def Configure(self, request: Any, context: Any) -> Any:
        """Levels and parameters of the stack; what they may not be ends the run in one line."""
        given = {
            name: {**json_format.MessageToDict(said.properties), LEVEL_KEY: _WORDS[said.enforcementLevel].value}
            for name, said in request.policyConfig.items()
        }
        try:
            self._pack.configure(given)
        except (ConfigurationError, WaiversError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return empty_pb2.Empty()

    def Analyze(self, request: Any, context: Any) -> Any:
        """What the rules say of a resource."""
        return _response(self._pack.analyze(_resource(request, wire.plain(request.properties))))

    def AnalyzeStack(self, request: Any, context: Any) -> Any:
        """What the rules say of all resources together: on their inputs, wherever those were shown."""
        return _response(self._pack.analyze_stack(self._joined(each) for each in request.resources))

    def _joined(self, shown: Any) -> Resource:
        inputs = self._pack.seen(shown.urn)
        links = {key: tuple(each.urns) for key, each in shown.propertyDependencies.items()}
        return _resource(shown, wire.plain(shown.properties) if inputs is None else inputs, links)

    def Remediate(self, request: Any, context: Any) -> Any:
        """The properties as the rules would have them, after each rule that changed something."""
        response = api.RemediateResponse()
        if not self._pack.mends:
            return response
        resource = _resource(request, wire.plain(request.properties))
        for meta, changes in self._pack.remedies(resource):
            made = [wire.change(request.properties, change.path, change.value) for change in changes]
            if any(made):
                changed = struct_pb2.Struct()
                changed.CopyFrom(request.properties)
                response.remediations.append(
                    api.Remediation(
                        policyName=meta.name,
                        policyPackName=NAME,
                        policyPackVersion=VERSION,
                        description=meta.description,
                        properties=changed,
                    )
                )
        return response


def _resource(shown: Any, properties: Any, links: Any = None) -> Resource:
    return Resource(shown.type, shown.name, shown.urn, properties, shown.options.protect, links or {})


def _info(meta: Meta, of_resources: bool) -> Any:
    info = api.PolicyInfo(
        name=meta.name,
        description=meta.description,
        enforcementLevel=_LEVELS[Enforcement(meta.level.value)],
        severity=_SEVERITIES[meta.severity],
        remediation_steps=meta.remediation,
        url=meta.section.link,
        policy_type=api.POLICY_TYPE_RESOURCE if of_resources else api.POLICY_TYPE_STACK,
    )
    if meta.parameters:
        schema: Any = parameters_schema(meta)
        info.configSchema.properties.update(schema)
    return info


def _response(diagnostics: list[Diagnostic]) -> Any:
    return api.AnalyzeResponse(diagnostics=[_diagnostic(each) for each in diagnostics])


def _diagnostic(told: Diagnostic) -> Any:
    return api.AnalyzeDiagnostic(
        policyName=told.rule.name,
        policyPackName=NAME,
        policyPackVersion=VERSION,
        message=f"{told.rule.description}\n{told.message}",
        urn=told.urn,
        description=told.rule.description,
        enforcementLevel=api.MANDATORY if told.blocking else api.ADVISORY,
        severity=_SEVERITIES[told.rule.severity],
    )
