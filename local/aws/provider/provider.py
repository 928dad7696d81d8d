"""The provider: what the engine asks, in terms of the resource types."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import TypeVar

from pulumi.provider.experimental import provider as protocol
from pulumi.provider.experimental.property_value import PropertyValue

from local.aws.provider import configuration
from local.aws.provider.check import Defaults, completed, refusals
from local.aws.provider.clients import Clients
from local.aws.provider.errors import ProviderError
from local.aws.provider.model import Change, ResourceType, changes, foreseen, inputs_of, names_collide, outputs
from local.aws.provider.registry import resource_type
from local.aws.provider.values import Values, has_unknown, plain_values, property_values, secret_names

_T = TypeVar("_T")
_Properties = Mapping[str, PropertyValue]
_KIND = protocol.PropertyDiffKind


def plugin_version() -> str:
    """The version of the installed SDK, which the engine expects of the plugin."""
    return metadata.version("pulumi-aws")


class AwsProvider(protocol.Provider):
    """Answers the engine for the embedded endpoint; raises ProviderError for what its user has to know."""

    def __init__(self) -> None:
        self._clients: Clients | None = None
        self._defaults = Defaults(region="us-east-1")

    async def get_schema(self, request: protocol.GetSchemaRequest) -> protocol.GetSchemaResponse:
        del request
        return protocol.GetSchemaResponse(json.dumps({"name": "aws", "version": plugin_version(), "resources": {}}))

    async def check_config(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        settings = plain_values(request.new_inputs)
        if not has_unknown(settings):
            try:
                configuration.connection(settings)
            except ProviderError as error:
                return protocol.CheckResponse(request.new_inputs, [protocol.CheckFailure("endpoints", str(error))])
        return protocol.CheckResponse(request.new_inputs)

    async def diff_config(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        del request
        # Another region or endpoint is not another set of resources here: each resource carries its own region.
        return protocol.DiffResponse()

    async def configure(self, request: protocol.ConfigureRequest) -> protocol.ConfigureResponse:
        settings = plain_values(request.args)
        self._clients = Clients(configuration.connection(settings))
        self._defaults = configuration.defaults(settings)
        return protocol.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def invoke(self, request: protocol.InvokeRequest) -> protocol.InvokeResponse:
        from local.aws.provider import functions

        arguments, clients = plain_values(request.args), self._configured()
        result = await self._call(request.tok, lambda: functions.call(request.tok, clients, arguments))
        return protocol.InvokeResponse(property_values(result))

    async def check(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        kind, given = resource_type(request.type), plain_values(request.new_inputs)
        failures = [protocol.CheckFailure(name, reason) for name, reason in refusals(kind, given).items()]
        if failures:
            return protocol.CheckResponse(request.new_inputs, failures)
        old = plain_values(request.old_inputs)
        inputs = completed(kind, request.name, given, old, request.random_seed, self._defaults)
        return protocol.CheckResponse(property_values(inputs, secret_names(request.new_inputs)))

    async def diff(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        kind, state, new = _types_and_values(request.type, request.old_state, request.new_inputs)
        found = [change for change in changes(kind, state, new) if change.name not in request.ignore_changes]
        replaces = [change.name for change in found if change.replaces]
        return protocol.DiffResponse(
            changes=bool(found),
            replaces=replaces,
            delete_before_replace=bool(replaces) and names_collide(kind, state, new),
            diffs=[change.name for change in found],
            detailed_diff={change.name: protocol.PropertyDiff(_diff_kind(change), True) for change in found},
        )

    async def create(self, request: protocol.CreateRequest) -> protocol.CreateResponse:
        kind, inputs = resource_type(request.type), plain_values(request.properties)
        secrets = secret_names(request.properties)
        if request.preview:
            return protocol.CreateResponse("", property_values(foreseen(kind, inputs), secrets))
        clients = self._configured()

        def run() -> tuple[str, dict[str, PropertyValue]]:
            resource_id = kind.create(clients, inputs)
            live = kind.read(clients, resource_id, inputs) or {}
            return resource_id, property_values(outputs(kind, inputs, live), secrets)

        resource_id, properties = await self._call(request.urn, run)
        return protocol.CreateResponse(resource_id, properties)

    async def read(self, request: protocol.ReadRequest) -> protocol.ReadResponse:
        kind, known, inputs = _types_and_values(request.type, request.properties, request.inputs)
        clients = self._configured()
        live = await self._call(request.urn, lambda: kind.read(clients, request.resource_id, known))
        if live is None:
            # An empty id is how the engine learns that the resource is gone.
            return protocol.ReadResponse("", {}, {})
        state = outputs(kind, {**known, **inputs}, live)
        secrets = secret_names(request.properties, request.inputs)
        return protocol.ReadResponse(
            request.resource_id,
            property_values(state, secrets),
            property_values(inputs_of(kind, inputs, state), secrets),
        )

    async def update(self, request: protocol.UpdateRequest) -> protocol.UpdateResponse:
        kind, state, new = _types_and_values(request.type, request.olds, request.news)
        secrets = secret_names(request.news)
        if request.preview:
            return protocol.UpdateResponse(property_values(foreseen(kind, new, state), secrets))
        changed = {change.name for change in changes(kind, state, new)} - set(request.ignore_changes)
        clients = self._configured()

        def run() -> dict[str, PropertyValue]:
            kind.update(clients, request.resource_id, new, changed)
            live = kind.read(clients, request.resource_id, new)
            if live is None:
                raise ProviderError(f"{request.resource_id} is gone: run `pulumi refresh`")
            return property_values(outputs(kind, new, live), secrets)

        return protocol.UpdateResponse(await self._call(request.urn, run))

    async def delete(self, request: protocol.DeleteRequest) -> None:
        kind, state, clients = resource_type(request.type), plain_values(request.properties), self._configured()
        await self._call(request.urn, lambda: kind.delete(clients, request.resource_id, state))

    def _configured(self) -> Clients:
        if self._clients is None:
            raise ProviderError("the aws provider was used before it was configured")
        return self._clients

    @staticmethod
    async def _call(what: str, function: Callable[[], _T]) -> _T:
        """Run `function` beside the event loop; what AWS refuses becomes one line that names `what`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return await asyncio.to_thread(function)
        except (BotoCoreError, ClientError) as error:
            raise ProviderError(f"{what.rpartition('::')[2]}: {error}") from error


def _types_and_values(token: str, old: _Properties, new: _Properties) -> tuple[ResourceType, Values, Values]:
    return resource_type(token), plain_values(old), plain_values(new)


def _diff_kind(change: Change) -> protocol.PropertyDiffKind:
    if change.added:
        return _KIND.ADD_REPLACE if change.replaces else _KIND.ADD
    if change.removed:
        return _KIND.DELETE_REPLACE if change.replaces else _KIND.DELETE
    return _KIND.UPDATE_REPLACE if change.replaces else _KIND.UPDATE
