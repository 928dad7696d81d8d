"""The CRDs come out of their modules only with the checksum that versions.toml pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.toolchain.crds import crds
from local.toolchain.errors import ToolchainError
from local.toolchain.versions import Toolchain
from tests.environment.parts.toolchain_fakes import World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def _with_crds(world: World, checksum: str) -> Toolchain:
    source = {"module": "example.org/crds", "version": "v1.0.0", "sum": checksum, "folder": "deploy"}
    return Toolchain.model_validate({**world.toolchain.model_dump(), "crds": {"sample": source}})


def _ship(world: World, *names: str) -> list[Path]:
    folder = world.control / "module" / "deploy"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("kind: CustomResourceDefinition\n")
    return [folder / name for name in sorted(names)]


def test_the_yaml_files_of_the_module_are_found(world: World) -> None:
    files = _ship(world, "b.yaml", "a.yaml")
    assert crds(world.cache, _with_crds(world, "h1:right=")) == files


def test_a_module_with_another_checksum_is_refused(world: World) -> None:
    _ship(world, "a.yaml")
    with pytest.raises(ToolchainError, match="has the checksum h1:right="):
        crds(world.cache, _with_crds(world, "h1:wrong="))


def test_a_module_without_crds_is_refused(world: World) -> None:
    with pytest.raises(ToolchainError, match=r"has no \*\.yaml in deploy"):
        crds(world.cache, _with_crds(world, "h1:right="))
