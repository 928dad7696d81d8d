"""Rules about the five services: what the runbook says of each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import kinds, owners, pods
from policies.index import StackIndex, service_of
from policies.model import (
    Judgement,
    Meta,
    Parameters,
    Resource,
    Severity,
    among,
    decide,
    expect,
    expect_equal,
    undecided,
)
from policies.plain import MISSING, Node, Scalar
from policies.selection import Selection
from runbook import services
from runbook.sections import Section

_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")
_HANDLERS: Final = ("httpGet", "tcpSocket")


def _health_path(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = service_of(resource)
    if spec is None:
        return
    for container in pods.named_container(resource, spec.name):
        yield expect_equal(container.at("readinessProbe", "httpGet", "path"), spec.health_path)


def _probe_ports(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.main_containers(resource):
        ports = container.at("ports")
        unknown = ports.hidden or any(port.at("name").hidden for port in ports.elements())
        declared = pods.port_names(container)
        for probe in _PROBES:
            for handler in _HANDLERS:
                port = container.at(probe, handler, "port")
                # A number needs no declaration; a name does.
                if isinstance(port.value, str):
                    yield _declared(port, declared, unknown=unknown)
                elif port.present:
                    yield expect(port, lambda value: isinstance(value, int), "a port's name or number")


def _declared(port: Node, names: frozenset[str | int], *, unknown: bool) -> Judgement:
    known = among(port.scalar in names, unsure=unknown)
    return decide(known, port.path, f'"{port.text}"', "the name of a port of the same container")


def _model(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = service_of(resource)
    if spec is None:
        return
    for container in pods.named_container(resource, spec.name):
        variables = container.at("env").elements()
        for name, wanted in spec.environment:
            values = [node.at("value") for node in variables if node.at("name").text == name]
            hidden = [node for node in variables if node.at("name").hidden]
            if values:
                yield expect_equal(values[-1], wanted)
            elif hidden:
                yield undecided(hidden[0].path, f"{name} with the value {wanted}")
            else:
                yield decide(False, container.at("env").path, f"without {name}", f"{name} with the value {wanted}")


def _service_port(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    by_name = {spec.service_name: spec for spec in services.ALL}
    for service in index.of(kinds.SERVICE):
        spec = by_name.get(service.object_name or "")
        if spec is not None:
            allowed = f"{spec.port}, the port of {spec.name} in the runbook"
            for port in service.at("spec", "ports").elements()[:1]:
                yield service, expect(port.at("port"), lambda value, wanted=spec.port: value == wanted, allowed)


def _service_selects(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for service in index.of(kinds.SERVICE):
        selector = service.at("spec", "selector")
        if not selector.present:
            continue
        found = owners.selecting(index, kinds.SERVICE).of(service)
        allowed = "labels of the pods of a workload of the stack"
        if not found.tally.any:
            yield service, decide(found.tally.any, selector.path, "the labels of no pod", allowed)
        else:
            declared = index.once(("ports", found), lambda found=found: _declared_ports(found))
            yield from ((service, _port_of(port, declared)) for port in service.at("spec", "ports").elements())


def _declared_ports(selection: Selection) -> tuple[frozenset[Scalar], bool]:
    """Names and numbers of the ports of the selected pods, and whether there are some that cannot be read yet."""
    containers = [container for workload, _ in selection.members for container in pods.main_containers(workload)]
    known: frozenset[Scalar] = frozenset(name for container in containers for name in pods.port_names(container))
    return known, any(_hides_ports(container) for container in containers)


def _port_of(port: Node, declared: tuple[frozenset[Scalar], bool]) -> Judgement:
    target = port.at("targetPort") if port.at("targetPort").present else port.at("port")
    allowed = "a port that the selected pods declare"
    if target.hidden:
        return expect(target, lambda _: True, allowed)
    known, hidden = declared
    if target.scalar not in known and hidden:
        return undecided(target.path, allowed)
    # A number reaches the pod undeclared; a name does not.
    passed = target.scalar in known if isinstance(target.value, str) else target.value is not MISSING
    return decide(passed, target.path, f'"{target.text}"', allowed)


def _hides_ports(container: Node) -> bool:
    return any(port.hidden or port.at("name").hidden for port in container.at("ports").elements())


RULES: Final = (
    Meta(
        "health-path-as-in-runbook",
        "A service is ready when the path that the morning check asks answers.",
        Severity.MEDIUM,
        Section.HEALTH_CHECK,
        "Set readinessProbe.httpGet.path to the service's health path (runbook.services).",
    ).of_resource(kinds.one_of(kinds.DEPLOYMENT), _health_path),
    Meta(
        "probe-port-declared",
        "A probe asks a port that its container has.",
        Severity.HIGH,
        Section.HEALTH_CHECK,
        "Name a port of the container's ports in the probe, or give the number.",
    ).of_resource(pods.is_long_running, _probe_ports),
    Meta(
        "model-settings-as-in-runbook",
        "The sentiment service loads the runbook's model, on the CPU.",
        Severity.HIGH,
        Section.SENTIMENT_MODEL,
        "Set the service's variables as runbook.services states them.",
    ).of_resource(kinds.one_of(kinds.DEPLOYMENT), _model),
    Meta(
        "service-port-as-in-runbook",
        "A service answers at the port that the runbook names.",
        Severity.MEDIUM,
        Section.HEALTH_CHECK,
        "Set the first port of the Service to the service's port (runbook.services).",
    ).of_stack(_service_port),
    Meta(
        "service-selects-pods",
        "A Service leads to pods that exist, and to a port that they have.",
        Severity.HIGH,
        Section.API_ERRORS,
        "Set spec.selector to labels of the workload's pod template, and targetPort to one of its port names.",
    ).of_stack(_service_selects),
)
