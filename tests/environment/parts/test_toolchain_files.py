"""Files of a module, CRDs among them, come from the version, and with the checksum, that the builds use."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.toolchain.errors import ToolchainError
from local.toolchain.files import crds, module_file
from local.toolchain.versions import Toolchain, load
from tests.environment.parts.toolchain_fakes import World, make_world, write_script


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def _with_file(world: World) -> Toolchain:
    source = {"module": "example.org/gamma", "file": "api/openapi.json"}
    return Toolchain.model_validate({**world.toolchain.model_dump(), "files": {"sample": source}})


def test_the_file_of_the_module_is_found(world: World) -> None:
    file = world.control / "module" / "api" / "openapi.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert module_file("sample", world.cache, _with_file(world)) == file


def test_go_is_asked_where_the_version_and_the_checksum_stand(world: World) -> None:
    asked = world.control / "asked"
    script = (world.path_folder / "go").read_text().replace("mod) ", f'mod) echo "$PWD $4" >> "{asked}"; ')
    write_script(world.path_folder / "go", script)
    with pytest.raises(ToolchainError):
        module_file("sample", world.cache, _with_file(world))
    assert asked.read_text() == f"{world.folder / 'modules' / 'two'} example.org/gamma\n"


def test_a_module_without_the_file_is_refused(world: World) -> None:
    with pytest.raises(ToolchainError, match=r"example\.org/gamma v1\.2\.3 has no file api/openapi\.json"):
        module_file("sample", world.cache, _with_file(world))


def test_every_file_belongs_to_a_module_that_is_built_from() -> None:
    chain = load()
    assert chain.files
    built = {tool.module for group in chain.groups.values() for tool in group.tools.values()}
    assert {source.module for source in (*chain.files.values(), *chain.crds.values())} <= built


def _with_crds(world: World) -> Toolchain:
    source = {"module": "example.org/gamma", "folder": "deploy"}
    return Toolchain.model_validate({**world.toolchain.model_dump(), "crds": {"sample": source}})


def test_the_crds_of_a_module_are_its_yaml_files(world: World) -> None:
    folder = world.control / "module" / "deploy"
    folder.mkdir(parents=True)
    for name in ("b.yaml", "a.yaml", "kustomization.txt"):
        (folder / name).write_text("kind: CustomResourceDefinition\n")
    assert crds(world.cache, _with_crds(world)) == [folder / "a.yaml", folder / "b.yaml"]


def test_a_module_without_crds_is_refused(world: World) -> None:
    with pytest.raises(ToolchainError, match=r"example\.org/gamma v1\.2\.3 has no \*\.yaml in deploy"):
        crds(world.cache, _with_crds(world))
