"""The logs of a namespace's pods, line by line, whatever their size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scripts.clients.kubernetes import Cluster

# What is longer is cut: a container can write a line without end.
LONGEST_LINE: Final = 4096


@dataclass(frozen=True, slots=True)
class Container:
    """A container that has a log. ``previous`` is the run before its last restart."""

    pod: str
    name: str
    service: str
    previous: bool = False

    def __str__(self) -> str:
        return f"{self.pod}/{self.name}" + (" (previous run)" if self.previous else "")


def containers(pods: Iterable[Any]) -> Iterator[Container]:
    """Every container with a log, init containers included; one that restarted counts twice."""
    for pod in pods:
        status: Any = pod.get("status") or {}
        listed: list[Any] = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        for found in listed:
            last: Any = found.get("lastState") or {}
            restarted = "terminated" in last
            # What waits for its first start has no log to ask for.
            waits = "waiting" in (found.get("state") or {})
            if restarted:
                yield Container(pod["metadata"]["name"], found["name"], _service(pod), previous=True)
            if not waits:
                yield Container(pod["metadata"]["name"], found["name"], _service(pod))


def lines(
    cluster: Cluster, namespace: str, container: Container, parameters: Mapping[str, str | int]
) -> Iterator[bytes]:
    """The log's lines, each with its time in front; ``parameters`` as the API's (sinceSeconds, tailLines)."""
    query: dict[str, str | int] = {"container": container.name, "timestamps": "true", **parameters}
    if container.previous:
        query["previous"] = "true"
    path = f"/api/v1/namespaces/{namespace}/pods/{container.pod}/log"
    with cluster.stream(path, query) as chunks:
        yield from split(chunks)


def split(chunks: Iterable[bytes], longest: int = LONGEST_LINE) -> Iterator[bytes]:
    """The lines of a stream, without their ends; of a longer line only the first ``longest`` bytes."""
    rest = b""
    for chunk in chunks:
        *whole, rest_of_chunk = chunk.split(b"\n")
        for line in whole:
            yield (rest + line)[:longest]
            rest = b""
        # No more than is ever given out is held.
        rest = (rest + rest_of_chunk)[:longest]
    if rest:
        yield rest


def _service(pod: Any) -> str:
    labels: Any = pod["metadata"].get("labels") or {}
    return str(labels.get("app") or labels.get("app.kubernetes.io/name") or pod["metadata"]["name"])
