"""Finding pods and containers in whatever declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from policies import kinds
from policies.model import Resource
from policies.plain import Node

_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys((*kinds.LONG_RUNNING, kinds.JOB), ("spec", "template")),
    kinds.CRON_JOB: ("spec", "jobTemplate", "spec", "template"),
    kinds.POD: (),
    kinds.POD_TEMPLATE: ("template",),
}

is_workload = kinds.one_of(*kinds.WORKLOADS, kinds.POD_TEMPLATE)
is_long_running = kinds.one_of(*kinds.LONG_RUNNING)


def template(resource: Resource) -> Node:
    """The pod template (``metadata`` and ``spec``) of a workload.

    Raises:
        KeyError: the resource is no workload.
    """
    return resource.at(*_TEMPLATES[resource.kind])


def pod_spec(resource: Resource) -> Node:
    """The pod's ``spec`` of a workload."""
    if "pod" not in resource.notes:
        resource.notes["pod"] = template(resource).at("spec")
    return cast("Node", resource.notes["pod"])


def main_containers(resource: Resource) -> tuple[Node, ...]:
    """The containers that run for as long as the pod does."""
    return pod_spec(resource).at("containers").elements()


def named_container(resource: Resource, name: str) -> tuple[Node, ...]:
    """The main containers of that name, else the first one: sidecars come after."""
    containers = main_containers(resource)
    return tuple(node for node in containers if node.at("name").text == name) or containers[:1]


def all_containers(resource: Resource) -> tuple[Node, ...]:
    """Every container, init containers included."""
    if "containers" not in resource.notes:
        initial = pod_spec(resource).at("initContainers").elements()
        resource.notes["containers"] = (*main_containers(resource), *initial)
    return cast("tuple[Node, ...]", resource.notes["containers"])


def every_container(resource: Resource) -> tuple[Node, ...]:
    """Every container, those included that are put into a running pod, which may ask for no resources."""
    return (*all_containers(resource), *pod_spec(resource).at("ephemeralContainers").elements())


def running_containers(resource: Resource) -> tuple[Node, ...]:
    """The containers that run for as long as the pod does, sidecars included."""
    initial = pod_spec(resource).at("initContainers").elements()
    return (*main_containers(resource), *(each for each in initial if is_sidecar(each)))


def is_sidecar(container: Node) -> bool:
    """Whether an init container runs for as long as the pod does."""
    return container.at("restartPolicy").text == "Always"


def port_names(container: Node) -> frozenset[str | int]:
    """Names and numbers of the ports that a container declares."""
    ports = [port.at(key).scalar for port in container.at("ports").elements() for key in ("name", "containerPort")]
    return frozenset(port for port in ports if isinstance(port, (str, int)))
