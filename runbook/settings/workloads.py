"""Settings of the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from pydantic import Field, model_validator

from runbook import services, units
from runbook.settings.base import Model, Resources


class ServiceSettings(Model):
    """One service of the stack; what is left out comes from the runbook."""

    replicas_normal: int = Field(ge=1)
    replicas_peak: int = Field(ge=1)
    resources: Resources
    cpu_cores: int = Field(default=4, ge=1, description="cores that a pod can use; the pool size follows from it")

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.replicas_peak < self.replicas_normal:
            raise ValueError(f"replicasPeak {self.replicas_peak} is below replicasNormal {self.replicas_normal}")
        return self


def default_services() -> dict[str, ServiceSettings]:
    return {spec.name: service_settings(spec, {}) for spec in services.ALL}


def as_mapping(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is {given!r}; it must be a mapping of names to values")  # noqa: TRY004 (pydantic's own)
    return cast("Mapping[str, Any]", given)


def service_settings(spec: services.ServiceSpec, overrides: Any) -> ServiceSettings:
    given = as_mapping(spec.name, overrides)
    resources = {
        "cpuRequest": "500m",
        "memoryRequest": units.binary_quantity(spec.memory.request),
        "memoryLimit": units.binary_quantity(spec.memory.limit),
    }
    merged: dict[str, Any] = {"replicasNormal": spec.replicas.normal, "replicasPeak": spec.replicas.peak, **given}
    merged["resources"] = {**resources, **as_mapping(f"{spec.name}.resources", given.get("resources", {}))}
    return ServiceSettings.model_validate(merged)
