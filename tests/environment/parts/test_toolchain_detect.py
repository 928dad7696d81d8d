"""Tools that are installed already: used in the right version, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.toolchain import detect
from local.toolchain.plugins import install_plugins
from local.toolchain.stages import bin_dir, ensure
from local.toolchain.versions import load
from tests.environment.parts.toolchain_fakes import Recorder, World, make_world, write_script


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def have(world: World, *names: str) -> dict[str, Path]:
    return ensure(names, Recorder(), cache=world.cache, toolchain=world.toolchain, space=lambda _: 1 << 60)


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("v3.259.0\n", "3.259.0"),
        ("etcd Version: 3.7.3\nGit SHA: Not provided\nGo Version: go1.26.8", "3.7.3"),
        ("Kubernetes v1.36.3", "1.36.3"),
        ("Client Version: v1.36.3\nKustomize Version: v5.8.1", "1.36.3"),
        ("containerd github.com/containerd/containerd/v2 v2.2.3 \n", "2.2.3"),
        ("containerd-shim-runc-v2:\n  Version:  v2.2.3\n  Revision: \n  Go version: go1.26.8", "2.2.3"),
        ("CoreDNS-1.14.0\nlinux/amd64, go1.26.8, ", "1.14.0"),
        ("Client Version: v1.32.4-dispatcher", "1.32.4-dispatcher"),
        ("v3.260.0-alpha.1", "3.260.0-alpha.1"),
        ("no version here", None),
    ],
)
def test_each_tools_way_of_printing_its_version_is_understood(output: str, version: str | None) -> None:
    assert detect.version_in(output) == version


def test_tools_of_the_right_version_are_used_as_they_are(world: World) -> None:
    installed = {name: world.install(name, f"{name} v1.2.3") for name in ("alpha", "beta")}
    assert have(world, "alpha", "beta") == installed
    assert world.builds == []
    assert (bin_dir(world.cache, world.toolchain) / "alpha").resolve() == installed["alpha"]


@pytest.mark.parametrize("prints", ["v1.2.4", "v1.2.3-rc.1", "nothing"])
def test_a_tool_of_another_version_is_built_instead(world: World, prints: str) -> None:
    world.install("alpha", "v1.2.3")
    world.install("beta", prints)
    assert have(world, "alpha")["alpha"].is_relative_to(world.cache)


def test_a_tool_that_fails_when_asked_for_its_version_is_built_instead(world: World) -> None:
    world.install("alpha", "v1.2.3")
    write_script(world.path_folder / "beta", "#!/bin/sh\necho v1.2.3\nexit 1\n")
    assert have(world, "alpha")["alpha"].is_relative_to(world.cache)


def test_a_group_of_which_a_tool_is_missing_is_built_whole(world: World) -> None:
    world.install("alpha", "v1.2.3")
    assert all(path.is_relative_to(world.cache) for path in have(world, "alpha", "beta").values())


@pytest.mark.parametrize(("prints", "used"), [("v1.2.9", True), ("v1.3.3", False), ("v1.2.3-dispatcher", False)])
def test_a_client_of_the_same_minor_version_will_do(world: World, prints: str, used: bool) -> None:
    installed = world.install("gamma", prints)
    assert (have(world, "gamma")["gamma"] == installed) is used


def test_the_caches_own_links_on_path_are_no_installation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    built = have(world, "alpha")
    links = bin_dir(world.cache, world.toolchain)
    for name in ("alpha", "beta"):
        write_script(links / f"{name}.new", "#!/bin/sh\necho v1.2.3\n").replace(links / name)
    monkeypatch.setenv("PATH", f"{links}:{world.path_folder}:/usr/bin:/bin")
    assert have(world, "alpha") == built


def _provider(folder: Path) -> Path:
    chain = load()
    release = chain.groups["provider"].release
    plugin = folder / "plugins" / f"resource-kubernetes-v{release}"
    plugin.mkdir(parents=True)
    return write_script(plugin / "pulumi-resource-kubernetes", "#!/bin/sh\n")


def test_a_genuine_provider_in_the_plugin_folder_is_used(tmp_path: Path) -> None:
    path = _provider(tmp_path)
    found = detect.installed_plugin(load().groups["provider"], tmp_path / "cache", tmp_path / "plugins")
    assert found == {"pulumi-resource-kubernetes": path}


def test_a_half_installed_provider_is_not_used(tmp_path: Path) -> None:
    path = _provider(tmp_path)
    Path(f"{path.parent}.partial").touch()
    assert detect.installed_plugin(load().groups["provider"], tmp_path / "cache", tmp_path / "plugins") is None


def test_the_provider_is_installed_where_the_engine_looks_and_again_without_harm(tmp_path: Path) -> None:
    built = write_script(tmp_path / "pulumi-resource-kubernetes", "#!/bin/sh\n")
    home = tmp_path / "home"
    for _ in range(2):
        install_plugins(home, {"pulumi-resource-kubernetes": built})
    release = load().groups["provider"].release
    installed = home / "plugins" / f"resource-kubernetes-v{release}"
    assert (installed / "pulumi-resource-kubernetes").resolve() == built
    assert Path(f"{installed}.lock").exists()
    # Our own link must not pass for a genuine plugin later, when it points to an outdated build.
    assert detect.installed_plugin(load().groups["provider"], tmp_path, home / "plugins") is None
