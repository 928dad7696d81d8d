"""Renders a stack: the Kubernetes objects that the program would apply, one YAML file each.

The program runs under Pulumi's mocks (docs/decisions/0005-rendering.md says why not through the engine). What AWS would
answer, such as a role's ARN, is an example; all else is what the engine would hand to the provider.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pulumi.runtime import rpc

from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT
from local.recording import Registered
from local.stack_files import record

FOLDER = PROJECT_ROOT / "build" / "manifests"
# Texts that PyYAML writes bare and that Kubernetes' reader would take for a truth value or a number, such as 1e3.
_AMBIGUOUS = re.compile(r"[yYnN]|[-+.]?[0-9].*")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A Kubernetes object, with keys in alphabetical order at every level."""

    content: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.content["kind"])

    @property
    def name(self) -> str:
        return str(self.content["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        return self.content["metadata"].get("namespace")

    @property
    def file_name(self) -> str:
        """Such as ``deployment.crypto.api-gateway.yaml``: it depends on nothing but the object itself."""
        return ".".join([*(part for part in (self.kind.lower(), self.namespace, self.name) if part), "yaml"])

    def text(self) -> str:
        """The object as YAML."""
        # A line's width changes nothing of a value; without it, long ones would be folded where words happen to end.
        return yaml.dump(self.content, Dumper=_Dumper, sort_keys=True, width=10**6, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, as people write them; no anchors, which few readers of manifests expect."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else "'" if _AMBIGUOUS.fullmatch(data) else None
        return yaml.ScalarNode("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.text)


def manifests(stack: str) -> list[Manifest]:
    """The stack's objects, in the order of their file names.

    Raises:
        LocalError: an unknown stack, settings that the program refuses, or an object that cannot be rendered.
    """
    return from_resources(record(stack))


def from_resources(resources: Sequence[Registered]) -> list[Manifest]:
    """The Kubernetes objects among a program's resources, in the order of their file names.

    Raises:
        LocalError: an object without a name, with a secret in it, or declared twice.
    """
    found: dict[str, Manifest] = {}
    for resource in resources:
        if not resource.token.startswith("kubernetes:"):
            continue
        made = _manifest(resource)
        if made.file_name in found:
            raise LocalError(f"two resources declare {made.kind} {made.name}; the second is {resource.name}")
        found[made.file_name] = made
    if not found:
        raise LocalError("the program declares no Kubernetes object")
    return [found[name] for name in sorted(found)]


def write(stack: str, folder: Path = FOLDER) -> list[Path]:
    """Writes the stack's objects below ``folder``/<stack>, which then holds these files and no others.

    Raises:
        LocalError: as ``manifests``.
    """
    return write_all(manifests(stack), folder / stack)


def write_all(objects: Sequence[Manifest], folder: Path) -> list[Path]:
    """Writes objects into a folder, which then holds these files and no others."""
    partial = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for item in objects:
        (partial / item.file_name).write_text(item.text())
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return [folder / item.file_name for item in objects]


def _manifest(resource: Registered) -> Manifest:
    if rpc.is_rpc_secret(resource.inputs) or any(map(rpc.is_rpc_secret, resource.inputs.values())):
        raise LocalError(f"{resource.name} holds a secret, which is never rendered; name a Kubernetes Secret instead")
    content = _plain(resource.inputs)
    if not {"apiVersion", "kind"} <= content.keys() or resource.inputs["kind"] == "Secret":
        raise LocalError(f"{resource.name} ({resource.token}) is no object that can be rendered")
    if not content.get("metadata", {}).get("name"):
        raise LocalError(f"{resource.name} has no metadata.name: the provider would invent one at each deployment")
    return Manifest(content)


def _plain(value: Any) -> Any:
    """Whole numbers as such (the engine's protocol knows only floating-point ones), and keys in order."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        return {key: _plain(items[key]) for key in sorted(items)}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
