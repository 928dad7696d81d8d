"""The types that settings are made of."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Final, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from runbook import units

REGION: Final = r"^[a-z]{2}(-[a-z]+)+-\d$"


class Model(BaseModel):
    """Frozen, strict about unknown keys, and with the camelCase keys of the stack file."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


def _quantity(text: str) -> str:
    if units.quantity(text) <= 0:
        raise ValueError("must be above zero, like 512Mi, 4Gi, 250m or 2")
    return text


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a name of the tz database, like UTC or Europe/Berlin")
    return name


def _cidr(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("must be a network like 10.0.0.0/16 or 0.0.0.0/0") from None


Quantity = Annotated[str, AfterValidator(_quantity)]
Cidr = Annotated[str, AfterValidator(_cidr)]
HostPort = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?:\d{1,5}$")]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
DnsName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max_length=253)
]
DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$")]


class Resources(Model):
    """What a pod reserves and may use. CPU has no limit: a throttled probe looks like a dead service."""

    cpu_request: Quantity
    memory_request: Quantity
    memory_limit: Quantity

    @model_validator(mode="after")
    def _request_fits_limit(self) -> Self:
        if units.quantity(self.memory_request) > units.quantity(self.memory_limit):
            raise ValueError(f"memoryRequest {self.memory_request} is above memoryLimit {self.memory_limit}")
        return self
