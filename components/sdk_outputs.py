"""What of the engine's answers the SDK translates: not the provider's own records, which nobody can read.

The answer to each registration is the whole resource: for an object of Kubernetes also the inputs that it was last made
of (``__inputs``), which the SDK translates and then drops, having no attribute for them, and who manages which field.
They are more than half of all that the engine answers to an unchanged preview.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi.runtime import rpc

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct
    from pulumi import Resource

_RESOLVE: Final = rpc.resolve_outputs
# Of dynamic providers, which are written in Python and get it back.
_KEPT: Final = "__provider"


def lighten() -> None:
    """Drop the records from each answer before the SDK sees it; ``metadata.managed_fields`` is then absent."""
    rpc.resolve_outputs = _resolve


def _resolve(resource: Resource, sent: Struct, answer: Struct, *rest: Any, **named: Any) -> None:
    _drop_records(answer)
    _RESOLVE(resource, sent, answer, *rest, **named)


def _drop_records(answer: Struct) -> None:
    fields = answer.fields
    for key in [key for key in fields if key.startswith("__") and key != _KEPT]:
        del fields[key]
    # Looking a field up would make it.
    if "metadata" in fields:
        metadata = fields["metadata"].struct_value.fields
        if "managedFields" in metadata:
            del metadata["managedFields"]
