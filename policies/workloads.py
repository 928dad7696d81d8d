"""Rules about what runs: resources, images and probes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final, cast

from policies import kinds, pods
from policies.index import service_of
from policies.model import (
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    Severity,
    decide,
    expect,
    expect_present,
    undecided,
)
from policies.plain import SECRET, UNKNOWN, Marker, Node, Plain, show
from policies.values import gibibytes, number_of_bytes, positive
from runbook import services, thresholds
from runbook.sections import Section

_HANDLERS: Final = ("httpGet", "tcpSocket", "exec", "grpc")
_RESERVED: Final = {
    ("requests", "cpu"): "a CPU request above 0, like 250m",
    ("requests", "memory"): "a memory request above 0, like 512Mi",
    ("limits", "memory"): "a memory limit above 0, like 1Gi",
}
# What Kubernetes assumes where a probe does not say.
_DEFAULT_PERIOD: Final = 10
_DEFAULT_FAILURES: Final = 3


def _requests_and_limits(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    whole = pods.pod_spec(resource).at("resources")
    for container in pods.all_containers(resource):
        yield from _reserves(container.at("resources"), whole)
    if whole.present:
        yield from _within(whole)


def _reserves(own: Node, whole: Node) -> Iterable[Judgement]:
    """Judge what a container reserves; what the pod reserves as a whole it need not."""
    for keys, allowed in _RESERVED.items():
        if own.at(*keys).present or not whole.at(*keys).present:
            yield expect(own.at(*keys), positive, allowed)
    yield from _within(own)


def _within(resources: Node) -> Iterable[Judgement]:
    request, limit = resources.at("requests", "memory"), resources.at("limits", "memory")
    if request.present and limit.present and not limit.hidden:
        yield expect(request, partial(_at_most, limit.value), f"at most the limit {show(limit.value)}")


def _at_most(limit: Plain, request: Plain) -> bool:
    return number_of_bytes(request) <= number_of_bytes(limit)


def _sentiment_memory(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    if service_of(resource) is not services.SENTIMENT:
        return
    low, high = thresholds.SENTIMENT_MEMORY_REQUEST.count, thresholds.SENTIMENT_MEMORY_LIMIT.count
    allowed = f"{gibibytes(low)} to {gibibytes(high)}"
    for container in pods.named_container(resource, services.SENTIMENT.name):
        for kind in ("requests", "limits"):
            yield expect(
                container.at("resources", kind, "memory"), lambda value: low <= number_of_bytes(value) <= high, allowed
            )


def _image_pinned(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    registries = tuple(cast("list[str]", parameters["registries"]))
    digest = bool(parameters["requireDigest"])
    for container in pods.all_containers(resource):
        image = container.at("image")
        if digest:
            yield expect(image, lambda value: "@sha256:" in str(value), "an image by digest (name@sha256:...)")
        else:
            yield expect(image, _has_fixed_tag, "an image with a tag other than latest, or a digest")
        if registries:
            wanted = f"an image from {', '.join(registries)}"
            yield expect(image, lambda value: _from_registry(value, registries), wanted)


def _has_fixed_tag(value: Plain) -> bool:
    if not isinstance(value, str):
        return False
    name, _, digest = value.partition("@")
    if digest:
        return True
    # A colon before the last slash belongs to a registry's port.
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag not in ("", "latest")


def _from_registry(value: Plain, registries: tuple[str, ...]) -> bool:
    return isinstance(value, str) and any(value.startswith(f"{registry.rstrip('/')}/") for registry in registries)


def _probes(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.running_containers(resource):
        ready, alive = container.at("readinessProbe"), container.at("livenessProbe")
        yield expect_present(ready, "a readiness probe")
        yield expect_present(alive, "a liveness probe")
        if alive.present:
            yield _unlike(ready, alive)


def _unlike(ready: Node, alive: Node) -> Judgement:
    allowed = "a liveness probe that asks something else than readiness, or that waits longer"
    markers = _markers(ready.value) | _markers(alive.value)
    if SECRET in markers:
        return decide(False, alive.path, SECRET.value, f"{allowed}, stated in plain")
    if UNKNOWN in markers:
        return undecided(alive.path, allowed)
    same = _handlers(ready) == _handlers(alive) and _patience(alive) <= _patience(ready)
    return decide(not same, alive.path, "the same as the readiness probe" if same else "unlike readiness", allowed)


def _handlers(probe: Node) -> list[Plain]:
    return [probe.at(name).value for name in _HANDLERS]


def _markers(value: Plain) -> set[Marker]:
    if isinstance(value, Marker):
        return {value}
    children = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return {marker for child in children for marker in _markers(child)}


def _patience(probe: Node) -> float:
    """Seconds until the probe gives up."""
    period, failures = probe.at("periodSeconds").value, probe.at("failureThreshold").value
    return _number(period, _DEFAULT_PERIOD) * _number(failures, _DEFAULT_FAILURES)


def _number(value: Plain, default: int) -> float:
    return value if isinstance(value, (int, float)) else default


RULES: Final = (
    Meta(
        "requests-and-limits",
        "Every container reserves CPU and memory and has a memory limit.",
        Severity.HIGH,
        Section.NAMESPACE,
        "Set resources.requests.cpu, resources.requests.memory and resources.limits.memory on the container.",
        reference="NSA Kubernetes Hardening Guide: resource policies",
    ).of_resource(pods.is_workload, _requests_and_limits),
    Meta(
        "sentiment-memory-range",
        "The sentiment service has the memory that its NLP model needs to load.",
        Severity.HIGH,
        Section.SENTIMENT_MODEL,
        "Set its memoryRequest and memoryLimit within the range, in the stack's crypto:services.",
    ).of_resource(kinds.one_of(kinds.DEPLOYMENT), _sentiment_memory),
    Meta(
        "image-pinned",
        "Every image is named by a fixed tag or a digest.",
        Severity.HIGH,
        Section.UPGRADE,
        "Name the image with the tag or digest of one build, so that what was tested is what runs.",
        parameters=(
            Parameter("registries", {"type": "array", "items": {"type": "string", "minLength": 1}}, []),
            Parameter("requireDigest", {"type": "boolean"}, False),
        ),
    ).of_resource(pods.is_workload, _image_pinned),
    Meta(
        "probes",
        "Long-running containers say when they are ready and when they are stuck, and not by the same probe.",
        Severity.MEDIUM,
        Section.HEALTH_CHECK,
        "Give the container a readinessProbe on its health path, and a livenessProbe that differs or waits longer.",
    ).of_resource(pods.is_long_running, _probes),
)
