"""A faster clock for rules, scrapes and notifications: the deployed ones, every duration of them divided by one number.

Rules are evaluated and targets scraped every 3 s at the most: a busy machine keeps that up. The limits stay. What an
object was like stands in an annotation of it until it is so again: a simulation that was killed is put right by the
next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from scripts import log
from scripts.clients.kubernetes import Cluster, NotFoundError
from scripts.durations import seconds
from scripts.exits import OpsError

ANNOTATION: Final = "crypto-operations/before-simulation"
_GROUP: Final = "/apis/monitoring.coreos.com"
_RANGE: Final = re.compile(r"\[(\w+)\]")
_DURATION: Final = re.compile(r"(\d+[smhd])+")
_TIMES: Final = {"for", "groupWait", "groupInterval", "repeatInterval"}
_SHORTEST_INTERVAL_SECONDS: Final = 3
_PODS: Final = "app.kubernetes.io/name in (prometheus, alertmanager)"


@dataclass(frozen=True, slots=True)
class Kind:
    """Objects of the operator that have durations."""

    version: str
    name: str


_KINDS: Final = (Kind("v1", "prometheusrules"), Kind("v1", "servicemonitors"), Kind("v1alpha1", "alertmanagerconfigs"))


def faster(text: str, factor: int) -> str:
    """A duration divided by ``factor``, a second at least; 0 stays 0."""
    if not _DURATION.fullmatch(text) or set(re.findall(r"\d+", text)) == {"0"}:
        return text
    return f"{max(1, seconds(text) // factor)}s"


def interval(text: str, factor: int) -> str:
    """The time between two scrapes or evaluations divided by ``factor``, 3 s at least."""
    return f"{max(_SHORTEST_INTERVAL_SECONDS, seconds(text) // factor)}s"


def scaled(value: Any, factor: int) -> Any:
    """A spec with all of its durations divided, those in the ranges of expressions too, and no route that is muted."""
    if isinstance(value, list):
        return [scaled(item, factor) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {key: _field(key, item, factor) for key, item in cast("dict[str, Any]", value).items()}


def _field(key: str, value: Any, factor: int) -> Any:
    if key == "muteTimeIntervals" and all(isinstance(name, str) for name in value):
        # Else a simulation in the hours of a maintenance would tell nobody.
        return []
    if isinstance(value, str):
        if key in _TIMES:
            return faster(value, factor)
        if key == "expr":
            return _RANGE.sub(lambda found: f"[{faster(found[1], factor)}]", value)
        if key == "interval":
            return interval(value, factor)
        if key == "scrapeTimeout":
            # No longer than the interval, which is what a target has at this pace.
            return interval("30s", factor)
    return scaled(value, factor)


@contextmanager
def pace(cluster: Cluster, namespace: str, monitoring: str, factor: int) -> Generator[None]:
    """Everything at ``factor`` times its speed while this lasts."""
    restore(cluster, namespace, monitoring)
    if factor == 1:
        yield
        return
    try:
        for path, item in _objects(cluster, namespace):
            kept = {"spec": item["spec"], "managedFields": item["metadata"].get("managedFields", [])}
            before = json.dumps(kept, separators=(",", ":"))
            change = {"metadata": {"annotations": {ANNOTATION: before}}, "spec": scaled(item["spec"], factor)}
            cluster.patch(path, change)
        _nudge(cluster, monitoring, f"{factor}")
        yield
    finally:
        restore(cluster, namespace, monitoring)


def restore(cluster: Cluster, namespace: str, monitoring: str) -> None:
    """Puts back what a simulation has changed; harmless where nothing is. An object in trouble keeps no other from it.

    Raises:
        OpsError: an object could not be put back.
    """
    problems: list[OpsError] = []
    changed = [
        (path, json.loads(item["metadata"]["annotations"][ANNOTATION]))
        for path, item in _objects(cluster, namespace)
        if ANNOTATION in item["metadata"].get("annotations", {})
    ]
    for path, before in changed:
        try:
            cluster.patch(path, {"metadata": {"annotations": {ANNOTATION: None}}, "spec": before["spec"]})
            # Whose each field was: else the next `pulumi up` would have a conflict with this program.
            cluster.patch(path, {"metadata": {"managedFields": before["managedFields"]}})
        except NotFoundError:
            log.info("an object was deleted meanwhile", path=path)
        except OpsError as error:
            problems.append(error)
    if changed:
        log.info("rules, scrapes and routes have their own pace again", objects=len(changed))
        try:
            _nudge(cluster, monitoring, None)
        except OpsError as error:
            log.warning("the servers read their files within a minute, and not at once", reason=str(error))
    if problems:
        raise problems[0]


def _objects(cluster: Cluster, namespace: str) -> Iterator[tuple[str, Any]]:
    for kind in _KINDS:
        folder = f"{_GROUP}/{kind.version}/namespaces/{namespace}/{kind.name}"
        for item in list(cluster.items(folder)):
            yield f"{folder}/{item['metadata']['name']}", item


def _nudge(cluster: Cluster, monitoring: str, value: str | None) -> None:
    """Changes the servers' pods: then the kubelet looks after their mounted files at once, and not within a minute."""
    folder = f"/api/v1/namespaces/{monitoring}/pods"
    for pod in list(cluster.items(folder, {"labelSelector": _PODS})):
        change = {"metadata": {"annotations": {"crypto-operations/pace": value}}}
        cluster.patch(f"{folder}/{pod['metadata']['name']}", change)


def nudger(cluster: Cluster, monitoring: str) -> Callable[[], None]:
    """Brings what Prometheus and Alertmanager are told to them soon, each time that it is called."""
    count = 0

    def nudge() -> None:
        nonlocal count
        count += 1
        _nudge(cluster, monitoring, f"nudged-{count}")

    return nudge
