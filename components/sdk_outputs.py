"""What of the engine's answers the SDK translates: what the program reads, and that alone.

The answer to each registration is the whole resource, for an object of Kubernetes with the provider's own records
(``__inputs``, ``metadata.managedFields``). The SDK translates all of it into typed objects. Of an object of Kubernetes
this program reads nothing but the metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Never

from google.protobuf.struct_pb2 import Struct
from pulumi import ProviderResource
from pulumi.runtime import rpc

if TYPE_CHECKING:
    from pulumi import Resource

_RESOLVE: Final = rpc.resolve_outputs
_TRANSFER: Final = rpc.transfer_properties
# Of dynamic providers, which are written in Python and get it back.
_KEPT: Final = "__provider"
_METADATA: Final = "metadata"


class Unread:
    """Stands for an output that is not translated: whoever reads it is told so."""

    def __init__(self, resource: Resource, name: str) -> None:
        self._what = f"{name} of {type(resource).__name__}"

    def __getattr__(self, name: str) -> Never:
        raise AttributeError(
            f"{self._what} is not read from the engine: use what was declared, or keep it in components/sdk_outputs.py"
        )


def lighten() -> None:
    """Drop what the program does not read from each answer before the SDK sees it.

    Outputs of Kubernetes' objects other than ``metadata`` are then `Unread`; ``metadata.managed_fields`` is absent.
    """
    rpc.transfer_properties = _transfer
    rpc.resolve_outputs = _resolve


def _transfer(resource: Resource, properties: dict[str, Any], custom: bool) -> dict[str, rpc.Resolver]:
    if not _is_kubernetes(resource):
        return _TRANSFER(resource, properties, custom)
    resource.__dict__.update({name: Unread(resource, name) for name in properties if name not in ("urn", "id")})
    return _TRANSFER(resource, {name: value for name, value in properties.items() if name == _METADATA}, custom)


def _resolve(resource: Resource, sent: Struct, answer: Struct, *rest: Any, **named: Any) -> None:
    kubernetes = _is_kubernetes(resource)
    _drop(answer, kubernetes=kubernetes)
    if kubernetes:
        # What was sent stands in for what is not answered, and nothing of that is read.
        sent = Struct(fields={_METADATA: sent.fields[_METADATA]} if _METADATA in sent.fields else {})
    _RESOLVE(resource, sent, answer, *rest, **named)


def _is_kubernetes(resource: Resource) -> bool:
    return type(resource).__module__.startswith("pulumi_kubernetes.") and not isinstance(resource, ProviderResource)


def _drop(answer: Struct, *, kubernetes: bool) -> None:
    fields = answer.fields
    for key in list(fields):
        if key != _METADATA if kubernetes else key.startswith("__") and key != _KEPT:
            del fields[key]
    # Looking a field up would make it.
    if kubernetes and _METADATA in fields:
        metadata = fields[_METADATA].struct_value.fields
        if "managedFields" in metadata:
            del metadata["managedFields"]
