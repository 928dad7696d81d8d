"""What a bundle consists of: each part gets the seconds that it may take, and returns texts by their files' names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from runbook import slo, units
from runbook.ops_settings import OpsSettings
from runbook.slo import Objective
from scripts.clients import kubernetes, pod_logs, prometheus
from scripts.clients.pod_logs import Container
from scripts.diagnosis import objects
from scripts.health import check, cluster, runner
from scripts.output import one_line

_TAIL_LINES: Final = 500
_TAIL_BYTES: Final = 256 * 1024
_KINDS: Final = (
    ("apis/apps/v1", "deployments"),
    ("apis/apps/v1", "statefulsets"),
    ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    ("apis/batch/v1", "jobs"),
    ("api/v1", "persistentvolumeclaims"),
    ("api/v1", "services"),
)
# Beside the figures of the hourly check: what is scraped, and what keeps restarting.
_MORE_QUERIES: Final = (
    ("up", 'up{{namespace="{namespace}"}}'),
    ("restarts", 'increase(kube_pod_container_status_restarts_total{{namespace="{namespace}"}}[1h]) > 0'),
    ("alerts", 'ALERTS{{alertstate="firing"}}'),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the bundle; what ``gather`` raises is told inside the bundle."""

    name: str
    gather: Callable[[float], Mapping[str, str]]


def everything(settings: OpsSettings, pods: Iterable[Any] | None) -> list[Part]:
    """All parts; those of single pods only where ``pods`` are known."""
    namespace = settings.namespace
    found = [Part("health", partial(_health, settings)), Part("events", partial(_events, namespace))]
    found += [Part(kind, partial(_kind, namespace, api, kind)) for api, kind in _KINDS]
    found += [Part(f"usage of {what}", partial(_usage, namespace, what)) for what in ("pods", "nodes")]
    found += [Part(f"metrics {name}", partial(_metrics, settings, name, query)) for name, query in _queries(settings)]
    if pods is not None:
        listed = list(pods)
        found.append(Part("pods", lambda _: _pods(listed)))
        found += [
            Part(f"log {container}", partial(_log, namespace, container)) for container in pod_logs.containers(listed)
        ]
    return found


def list_pods(namespace: str, seconds: float) -> list[Any]:
    """The namespace's pods.

    Raises:
        OpsError: the cluster does not answer.
    """
    with kubernetes.connect(seconds) as server:
        return list(server.items(f"/api/v1/namespaces/{namespace}/pods"))


def _queries(settings: OpsSettings) -> Iterator[tuple[str, str]]:
    objectives: tuple[Objective, ...] = slo.objectives(settings.namespace)
    yield from ((objective.name, objective.expression) for objective in objectives)
    yield from ((name, query.format(namespace=settings.namespace)) for name, query in _MORE_QUERIES)


def _health(settings: OpsSettings, seconds: float) -> Mapping[str, str]:
    results = runner.run(check.checks(settings), seconds * 0.8)
    return {"health.json": json.dumps([check.plain(result) for result in results])}


def _events(namespace: str, seconds: float) -> Mapping[str, str]:
    with kubernetes.connect(seconds) as server:
        found = list(server.items(f"/api/v1/namespaces/{namespace}/events"))
    return {"events.txt": "".join(f"{line}\n" for line in sorted(map(_event, found)))}


def _event(event: Any) -> str:
    about: Any = event.get("involvedObject") or {}
    at = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""
    where = f"{about.get('kind', '')}/{about.get('name', '')}"
    count = f" ({event['count']}x)" if event.get("count") else ""
    return (
        f"{at} {event.get('type', '')} {event.get('reason', '')} {where}: {one_line(event.get('message') or '')}{count}"
    )


def _kind(namespace: str, api: str, kind: str, seconds: float) -> Mapping[str, str]:
    with kubernetes.connect(seconds) as server:
        found = list(server.items(f"/{api}/namespaces/{namespace}/{kind}"))
    return {f"{kind}.yaml": "---\n".join(objects.as_yaml(each) for each in found)}


def _usage(namespace: str, what: str, seconds: float) -> Mapping[str, str]:
    path = f"namespaces/{namespace}/pods" if what == "pods" else "nodes"
    with kubernetes.connect(seconds) as server:
        found: list[Any] = server.get(f"/apis/metrics.k8s.io/v1beta1/{path}")["items"]
    lines = [line for each in found for line in _used(each)]
    return {f"usage-{what}.txt": "".join(f"{line}\n" for line in sorted(lines))}


def _used(each: Any) -> Iterator[str]:
    name = each["metadata"]["name"]
    for entry in each.get("containers") or [each]:
        usage: Any = entry["usage"]
        cpu, memory = units.quantity(usage["cpu"]), units.quantity(usage["memory"])
        container = f"/{entry['name']}" if "name" in entry else ""
        yield f"{name}{container} cpu {float(cpu):.3f} memory {float(memory) / 2**20:.0f} MiB"


def _metrics(settings: OpsSettings, name: str, query: str, seconds: float) -> Mapping[str, str]:
    with prometheus.connect(settings, seconds) as server:
        samples = server.query(query)
    series = [{"labels": dict(sample.labels), "value": sample.value} for sample in samples]
    return {f"metrics/{name.replace(' ', '-')}.json": json.dumps({"query": query, "series": series})}


def _pods(pods: Iterable[Any]) -> Mapping[str, str]:
    listed = sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
    files = {f"pods/{pod['metadata']['name']}.yaml": objects.as_yaml(pod) for pod in listed}
    lines = [
        f"{pod['metadata']['name']} {pod.get('status', {}).get('phase', '')} {cluster.problem(pod) or 'ok'}\n"
        for pod in listed
    ]
    return {"pods.txt": "".join(lines), **files}


def _log(namespace: str, container: Container, seconds: float) -> Mapping[str, str]:
    tail: dict[str, str | int] = {"tailLines": _TAIL_LINES, "limitBytes": _TAIL_BYTES}
    with kubernetes.connect(seconds) as server:
        lines = list(pod_logs.lines(server, namespace, container, tail))
    suffix = "_previous" if container.previous else ""
    text = b"\n".join(lines).decode("utf-8", "replace")
    return {f"logs/{container.pod}_{container.name}{suffix}.log": f"{text}\n"}
