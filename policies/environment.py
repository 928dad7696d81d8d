"""What a container reads: its variables and the files of its ConfigMaps, joined with what declares them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from policies import kinds, pods
from policies.index import StackIndex, refers
from policies.model import Resource
from policies.plain import MISSING, UNKNOWN, Marker, Node, Plain


def variable(index: StackIndex, workload: Resource, container: Node, name: str) -> Plain:
    """The value of a variable of the container: its own, else one of a whole ConfigMap.

    UNKNOWN while it may be set by something that is not yet known, MISSING where nothing sets it.
    """
    own = container.at("env").elements()
    for node in reversed(own):
        if node.at("name").text == name:
            return node.at("value").value
    found: Plain = UNKNOWN if any(node.at("name").hidden for node in own) else MISSING
    for source in container.at("envFrom").elements():
        for data in _of_config_map(index, workload, source.at("configMapRef", "name")):
            value = data.at(name).value
            found = found if value is MISSING else value
    return found


def files(index: StackIndex, workload: Resource) -> Iterable[Node]:
    """The files of every ConfigMap that the pod mounts; an UNKNOWN one where that is not yet known."""
    for volume in pods.pod_spec(workload).at("volumes").elements():
        for data in _of_config_map(index, workload, volume.at("configMap", "name")):
            if data.hidden:
                yield data
            yield from (node for _, node in data.entries())


def _of_config_map(index: StackIndex, workload: Resource, reference: Node) -> Iterable[Node]:
    if not reference.present:
        return
    if reference.text is not None:
        named = _named(index)
        found = named.get((workload.namespace, reference.text), ())
        yield from (each.at("data") for each in found)
        if not found and (workload.namespace, None) in named:
            yield Node(UNKNOWN)
        return
    for config_map in index.of(kinds.CONFIG_MAP):
        related = refers(workload, reference, config_map, config_map.at("metadata", "name"))
        if related is not False:
            yield config_map.at("data") if related else Node(UNKNOWN)


def _named(index: StackIndex) -> dict[tuple[str | None, str | None], list[Resource]]:
    def build() -> dict[tuple[str | None, str | None], list[Resource]]:
        found: dict[tuple[str | None, str | None], list[Resource]] = {}
        for config_map in index.of(kinds.CONFIG_MAP):
            found.setdefault((config_map.namespace, config_map.object_name), []).append(config_map)
        return found

    return index.once("config maps by name", build)


@lru_cache(maxsize=64)
def _pattern(key: str, assignment: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*{assignment}[ \t]*(.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)


def directive(texts: Iterable[Node], key: str, assignment: str = "=") -> Plain:
    """The value of ``key`` in configuration files (``key = value``); the last one counts.

    UNKNOWN or SECRET where it may stand in a file that cannot be read, MISSING where no file has it.
    """
    hidden: Plain = MISSING
    stated: str | None = None
    for node in texts:
        if isinstance(node.value, Marker):
            hidden = node.value
        elif isinstance(node.value, str) and (found := _pattern(key, assignment).findall(node.value)):
            stated = found[-1].partition("#")[0].strip().strip("'\"")
    return hidden if stated is None else stated
