"""What lies in the bucket as JSON: frozen, in camel case, and refused where it has a field too many."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Bytes = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """The base of every document in the bucket, and of its parts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class Signature(Record):
    """Who signed a document (base64 of a public key) and the signature; ``signing`` makes and checks it."""

    public_key: str
    value: str
