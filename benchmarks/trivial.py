"""Pulumi programs that do nothing but have a number of resources, to compare previews with.

The first two are previewed against an empty state in a throwaway backend and reach no cluster: what remains is the
engine, the language host and, for ConfigMaps, the Kubernetes provider and its SDK. The third is applied to the running
cluster first, and its unchanged preview does what any does there: it reads a state, fetches the cluster's schema,
checks and compares each resource. What a real program costs beside it is the program. The fourth is the third with an
engine that nobody has configured, which writes a log of every property: so much a preview takes elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

# Go's own value: the environment sets another.
_GOS_OWN: Final = "100"
STACK: Final = "trivial"
PREPARATION: Final = (("pulumi", "stack", "init", STACK, "--non-interactive"),)
PREVIEW: Final = ("pulumi", "preview", "--stack", STACK, "--non-interactive")
_QUIET: Final = ("--stack", STACK, "--yes", "--skip-preview", "--non-interactive")
UP: Final = ("pulumi", "up", *_QUIET)
DESTROY: Final = ("pulumi", "destroy", *_QUIET)

_COMPONENTS: Final = """import pulumi


class Trivial(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("bench:trivial:Component", name)
        self.register_outputs({{}})


for number in range({count}):
    Trivial(f"trivial-{{number}}")
"""
_CONFIG_MAPS: Final = """from pulumi_kubernetes import core

for number in range({count}):
    name = f"{prefix}-{{number}}"
    core.v1.ConfigMap(name, metadata={{"name": name, "namespace": "default"}}, data={{"key": "value"}})
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A trivial program; whether its resources are in the cluster before it is previewed, by an engine as it comes."""

    program: str
    applied: bool = False
    as_it_comes: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "as many components": Kind(_COMPONENTS),
    "as many ConfigMaps": Kind(_CONFIG_MAPS),
    "as many applied ConfigMaps": Kind(_CONFIG_MAPS, applied=True),
    "the same, engine as it comes": Kind(_CONFIG_MAPS, applied=True, as_it_comes=True),
}


@dataclass(frozen=True, slots=True)
class Project:
    """A Pulumi project's folder, and the variables that it is previewed with."""

    folder: Path
    variables: Mapping[str, str]


def write_program(folder: Path, program: str) -> Project:
    """Writes a project of a program that runs in this process's virtual environment and reaches no cluster."""
    folder.mkdir(parents=True)
    (folder / "state").mkdir()
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "trivial", "runtime": runtime}))
    (folder / "__main__.py").write_text(program)
    variables = {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "trivial",
        "KUBECONFIG": os.devnull,
    }
    return Project(folder, variables)


def write(folder: Path, kind: str, count: int) -> Project:
    """Writes a program of a kind with so many resources."""
    # Two kinds are in the cluster at once.
    prefix = "as-it-comes" if KINDS[kind].as_it_comes else "trivial"
    project = write_program(folder, KINDS[kind].program.format(count=count, prefix=prefix))
    variables = dict(project.variables)
    if KINDS[kind].applied:
        del variables["KUBECONFIG"]
    if KINDS[kind].as_it_comes:
        variables |= {"PULUMI_HOME": str(_home(folder / "home")), "GOGC": _GOS_OWN}
    return Project(folder, variables)


def _home(folder: Path) -> Path:
    """A home of the engine with the plugins of the present one, and with the log that it writes by itself."""
    folder.mkdir()
    (folder / "plugins").symlink_to(Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser() / "plugins")
    return folder
