"""Services that nobody has, for measurements of how the program grows with their number."""

from __future__ import annotations

from dataclasses import replace

from components import stack_config
from components.context import Context
from components.service import Microservice, MicroserviceArgs
from local.recording import run
from local.stack_files import EXAMPLE_ENVIRONMENT, stack_values
from runbook import services, settings
from runbook.services import ServiceSpec

_STACK = "local"


def specs(count: int) -> list[ServiceSpec]:
    """Services like the sentiment service, each with a name of its own."""
    return [replace(services.SENTIMENT, name=f"service-{i}", service_name=f"service-{i}") for i in range(count)]


def construct(count: int) -> int:
    """Constructs so many services under mocks; how many resources they are."""
    wanted = specs(count)
    given = stack_values(_STACK)
    given.pop("embedded")
    loaded = settings.load(stack_config.with_environment(given, EXAMPLE_ENVIRONMENT))
    own = loaded.services[services.SENTIMENT.name]
    # Validated settings know five services: the images of the others are added behind their back.
    images = {spec.name: loaded.images[services.SENTIMENT.name] for spec in wanted}
    context = Context(loaded.model_copy(update={"images": images}), loaded.namespace)

    def program() -> None:
        for spec in wanted:
            Microservice(spec.name, MicroserviceArgs(spec, own, {}), context)

    return len(run(program, stack_name=_STACK))
