"""The types that settings are made of."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Annotated, Final, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from runbook import units

# More is a slip of the pen (cpuRequest: 4Gi is four thousand million cores): the largest machines and volumes that are
# for hire have less. A byte alone is one, too (memoryLimit: 512m is half of one).
_CORES: Final = ("1m", "1024")
_MEMORY: Final = ("1Mi", "32Ti")
_VOLUME: Final = ("1Mi", "64Ti")


class Model(BaseModel):
    """Frozen, strict about unknown keys, and with the camelCase keys of the stack file."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


def _between(least: str, most: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not units.quantity(least) <= units.quantity(text) <= units.quantity(most):
            raise ValueError(f"must be from {least} to {most}")
        return text

    return check


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a name of the tz database, like UTC or Europe/Berlin")
    return name


def _cidr(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("must be a network like 10.0.0.0/16 or 0.0.0.0/0") from None


def _written(value: object) -> object:
    """A number as text: `pulumi config set --path` stores a quantity without a unit as one."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_Quantity = Annotated[
    str, BeforeValidator(_written, json_schema_input_type=str | Annotated[float, Field(ge=0, le=float(2**46))])
]
Cores = Annotated[_Quantity, AfterValidator(_between(*_CORES))]
Memory = Annotated[_Quantity, AfterValidator(_between(*_MEMORY))]
Volume = Annotated[_Quantity, AfterValidator(_between(*_VOLUME))]
Cidr = Annotated[str, AfterValidator(_cidr)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Resources(Model):
    """What a pod reserves and may use. CPU has no limit: a throttled probe looks like a dead service."""

    cpu_request: Cores
    memory_request: Memory
    memory_limit: Memory

    @model_validator(mode="after")
    def _request_fits_limit(self) -> Self:
        if units.quantity(self.memory_request) > units.quantity(self.memory_limit):
            raise ValueError(f"memoryRequest {self.memory_request} is above memoryLimit {self.memory_limit}")
        return self
