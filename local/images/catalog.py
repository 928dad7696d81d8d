"""The images: where each Dockerfile lies and what its build may read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_HERE: Final = Path(__file__).resolve().parent


_CONTROLLERS: Final = (
    "cert-manager",
    "ingress-controller",
    "kube-state-metrics",
    "prometheus-config-reloader",
    "prometheus-operator",
)


@dataclass(frozen=True)
class Recipe:
    """How one image is made.

    `context` is the folder that COPY reads, `reads` the paths under it that count; the build sees nothing else. `jars`
    tells that the build has a second context with Kafka's jars, `tools` which programs of the toolchain it finds in the
    folder tools of its context. Images of one `lane` are built one after another: their
    Dockerfiles share package caches by id, and apt fails where two share one at the same time.
    """

    name: str
    dockerfile: Path
    context: Path
    reads: tuple[str, ...]
    lane: str
    jars: bool = False
    tools: tuple[str, ...] = ()


def _own_folder(name: str, lane: str, *, jars: bool = False, tools: tuple[str, ...] = ()) -> Recipe:
    folder = _HERE / name
    return Recipe(name, folder / "Dockerfile", folder, (".",), lane, jars, tools)


def _ops() -> Recipe:
    dockerfile = _CHECKOUT / "images" / "ops" / "Dockerfile"
    return Recipe("ops", dockerfile, _CHECKOUT, allowed_by(dockerfile.with_name("Dockerfile.dockerignore")), "python")


def allowed_by(ignore_file: Path) -> tuple[str, ...]:
    """The paths that a list of the form `*`, `!this`, `!that/` lets through."""
    lines = (line.strip() for line in ignore_file.read_text().splitlines())
    return tuple(line[1:].rstrip("/") for line in lines if line.startswith("!"))


def tools_needed(names: Sequence[str] | None = None) -> set[str]:
    """The programs of the toolchain that these images (all of them by default) are made of."""
    known = recipes()
    return {tool for name in (known if names is None else names) if name in known for tool in known[name].tools}


def _python_program(name: str, package: str) -> Recipe:
    reads = ("pyproject.toml", "uv.lock", "local/bootstrap.sh", "local/uv-requirements.txt", f"local/{package}")
    return Recipe(name, _HERE / name / "Dockerfile", _CHECKOUT, reads, "python")


def images_of_packages() -> list[str]:
    """The images that can be built without the toolchain."""
    return [recipe.name for recipe in recipes().values() if not recipe.tools]


def images_of_tools() -> list[str]:
    """The images that need programs of the toolchain."""
    return [recipe.name for recipe in recipes().values() if recipe.tools]


def recipes() -> dict[str, Recipe]:
    """All images by name, in the order in which a lane builds them."""
    all_of_them = (
        _own_folder("kafka", "servers", jars=True),
        _ops(),
        _own_folder("postgres", "servers"),
        _own_folder("redis", "servers"),
        _own_folder("pgbouncer", "servers"),
        _own_folder("alertmanager", "monitoring"),
        _own_folder("node-exporter", "monitoring"),
        _own_folder("redis-exporter", "monitoring"),
        _own_folder("maintenance", "monitoring"),
        _own_folder("platform", "programs", tools=_CONTROLLERS),
        _own_folder("prometheus", "programs", tools=("prometheus",)),
        _own_folder("postgres-exporter", "programs", tools=("postgres-exporter",)),
        _python_program("sample-service", "sample_service"),
        _python_program("kafka-exporter", "kafka_exporter"),
    )
    return {recipe.name: recipe for recipe in all_of_them}
