"""Settings of the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, cast

from pydantic import Field, model_validator

from runbook import services, units
from runbook.formats import Pods, Whole
from runbook.settings.base import Model, Resources


class ServiceSettings(Model):
    """One service of the stack; what is left out comes from the runbook."""

    replicas_normal: Pods
    replicas_peak: Pods
    resources: Resources
    cpu_cores: Whole = Field(
        default=4, ge=1, le=1024, description="cores that a pod can use; the pool size follows from it"
    )

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.replicas_peak < self.replicas_normal:
            raise ValueError(f"replicasPeak {self.replicas_peak} is below replicasNormal {self.replicas_normal}")
        return self


def default_services() -> dict[str, ServiceSettings]:
    return {spec.name: ServiceSettings.model_validate(completed(spec, {})) for spec in services.ALL}


def completed(spec: services.ServiceSpec, given: object) -> object:
    """What a stack says of a service, with what the runbook says of the rest; what is no mapping is left as it is."""
    if not isinstance(given, Mapping):
        return given
    said = cast("Mapping[str, object]", given)
    resources = {
        "cpuRequest": "500m",
        "memoryRequest": units.binary_quantity(spec.memory.request),
        "memoryLimit": units.binary_quantity(spec.memory.limit),
    }
    own = said.get("resources", {})
    return {
        "replicasNormal": spec.replicas.normal,
        "replicasPeak": spec.replicas.peak,
        **said,
        "resources": {**resources, **cast("Mapping[str, object]", own)} if isinstance(own, Mapping) else own,
    }
