"""The toolchain as data: versions.toml and the versions of modules/*/go.mod, read once into frozen values."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

HERE = Path(__file__).parent
VERSIONS_FILE = HERE / "versions.toml"
MODULES_DIR = HERE / "modules"

# `go mod tidy` marks what another module requires as indirect.
_DIRECT = re.compile(r"^(?:require |\t)(\S+) (v\S+)$", re.MULTILINE)
_GO = re.compile(r"^go (\S+)$", re.MULTILINE)

Stage = Literal["cluster", "platform", "engine", "provider", "lint", "benchmark"]
STAGES: tuple[Stage, ...] = ("cluster", "platform", "engine", "provider", "lint", "benchmark")
UP_STAGES: tuple[Stage, ...] = STAGES[: STAGES.index("lint")]
"""What `make up` and the tests need; `make lint` asks for the rest."""
EXISTING_CLUSTER_TOOLS = ("kubectl", "engine", "provider")
"""What `make up` needs on a cluster that somebody else runs."""


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


Strings = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModuleFile(_Frozen):
    """A file of a Go module, by its path inside of it."""

    module: str
    file: str


class Tool(_Frozen):
    """One program. Either `package` is compiled, or `file` is copied out of the module as it is.

    `output` is the name that `go build` gives the program where that is not the tool's own.
    `version_command` are the arguments that print the version; without them a copy on PATH is never used.
    `accept` says which versions of a copy on PATH are right: the same, or any of the same minor.
    """

    module: str
    package: str | None = None
    file: str | None = None
    output: str | None = None
    version_command: Strings = ()
    accept: Literal["exact", "minor"] = "exact"


class Group(_Frozen):
    """What one `go build` makes. `folder` is the Go module below modules/ that it runs in; `disk_gib` in GiB."""

    stage: Stage
    folder: str
    tools: Mapping[str, Tool]
    tags: Strings = ()
    ldflags: str = ""
    gcflags: Strings = ()
    disk_gib: float
    release: str | None = None
    plugin: str | None = None
    overlay: Mapping[str, ModuleFile] = {}

    @property
    def directory(self) -> Path:
        return MODULES_DIR / self.folder


class CrdSource(_Frozen):
    """A folder of CRD files in a Go module."""

    module: str
    folder: str


class Build(_Frozen):
    """What all builds have in common."""

    environment: Mapping[str, str]
    gcflags: Strings
    arguments: Strings


class Toolchain(_Frozen):
    """All of versions.toml. Groups stand in the order in which they are built.

    `go` is the oldest Go that builds every group, and `modules` has the version of each module that a tool comes from.
    """

    go: str
    modules: Mapping[str, str]
    build: Build
    groups: Mapping[str, Group]
    crds: Mapping[str, CrdSource]
    files: Mapping[str, ModuleFile] = {}

    @property
    def tool_groups(self) -> dict[str, str]:
        """The group of each tool."""
        return {tool: name for name, group in self.groups.items() for tool in group.tools}

    def version_of(self, tool: str) -> str:
        """A tool's version without the leading v, such as 1.36.3."""
        group = self.groups[self.tool_groups[tool]]
        return group.release or self.modules[group.tools[tool].module].removeprefix("v")

    def ldflags_of(self, group: Group) -> str:
        """The linker's flags with the versions filled in."""
        flags = group.ldflags.replace("{release}", group.release or "")
        for module, version in self.modules.items():
            flags = flags.replace(f"{{{module}}}", version)
        return flags

    def fingerprint(self) -> str:
        """Changes with every change of versions.toml and of a version."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def load(path: Path = VERSIONS_FILE) -> Toolchain:
    """Read the files. Raises pydantic's ValidationError where they do not fit: that is a defect of this repository."""
    document = tomllib.loads(path.read_text())
    required = _required(path.parent / "modules")
    modules = {
        tool["module"]: required[tool["module"]]
        for group in document["groups"].values()
        for tool in group["tools"].values()
    }
    return Toolchain.model_validate({**document, "go": required["go"], "modules": modules})


def _required(modules: Path) -> dict[str, str]:
    """What the go.mod files require themselves, and under the name "go" the newest Go that one of them needs."""
    required: dict[str, str] = {}
    needed: list[str] = []
    for file in modules.glob("*/go.mod"):
        text = file.read_text()
        required |= dict(_DIRECT.findall(text))
        needed += _GO.findall(text)
    return required | {"go": max(needed, key=lambda version: [int(part) for part in version.split(".")])}
