"""The builder: never twice, safe to kill, and one clear line for what goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.toolchain.build import GIB
from local.toolchain.errors import ToolchainError
from local.toolchain.stages import Handle, bin_dir, ensure, start
from tests.environment.parts.toolchain_fakes import Recorder, World, make_world, write_script
from tests.waiting import wait_until


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def have(world: World, *names: str, free_gib: float = 100.0) -> dict[str, Path]:
    return ensure(
        names or None,
        Recorder(),
        cache=world.cache,
        toolchain=world.toolchain,
        space=lambda _: int(free_gib * GIB),
    )


def why_not(world: World, *names: str, free_gib: float = 100.0) -> str:
    with pytest.raises(ToolchainError) as caught:
        have(world, *names, free_gib=free_gib)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_build_makes_every_tool_of_its_group_and_links_it(world: World) -> None:
    paths = have(world, "alpha")
    assert subprocess.check_output([paths["alpha"]], text=True) == "example.org/alpha\n"
    links = bin_dir(world.cache, world.toolchain)
    assert {link.name: link.readlink() for link in links.iterdir()} == {
        name: paths["alpha"].parent / name for name in ("alpha", "beta")
    }


def test_compilers_come_after_everything_else_that_is_started(world: World) -> None:
    have(world, "alpha")
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert int((world.control / "nice").read_text()) == min(19, own + 5)


def test_a_second_run_builds_nothing(world: World) -> None:
    first = have(world)
    assert len(world.builds) == 2
    assert have(world) == first
    assert len(world.builds) == 2


def test_the_versions_reach_the_linker(world: World) -> None:
    have(world, "alpha")
    assert "-ldflags=-X main.version=v1.2.3" in world.builds[0]


@pytest.mark.parametrize("changed", ["go.mod", "go.sum"])
def test_a_changed_source_is_built_anew(world: World, changed: str) -> None:
    before = have(world, "alpha")
    path = world.folder / "modules" / "one" / changed
    path.write_text(path.read_text() + "\n")
    after = have(world, "alpha")
    assert after["alpha"] != before["alpha"]
    assert before["alpha"].exists()
    assert len(world.builds) == 2


def test_another_version_of_go_builds_anew(world: World) -> None:
    before = have(world, "alpha")
    (world.control / "version").write_text("go1.27.0")
    assert have(world, "alpha") != before


def test_what_was_built_needs_no_go(world: World) -> None:
    before = have(world)
    (world.path_folder / "go").unlink()
    os.environ["PATH"] = str(world.path_folder)
    assert have(world) == before


def test_a_failed_build_leaves_nothing_visible_and_the_next_one_succeeds(world: World) -> None:
    world.fail_with("./main.go:3: undefined: x")
    message = why_not(world, "alpha")
    assert message.startswith("building first failed: ./main.go:3: undefined: x (all of it: ")
    assert "undefined: x" in (world.cache / "tools" / "first" / "last-failure.log").read_text()
    assert not any(path.is_dir() for path in (world.cache / "tools" / "first").iterdir())
    world.heal()
    assert have(world, "alpha")["alpha"].exists()


def test_a_killed_run_leaves_nothing_visible_and_the_next_one_resumes(world: World) -> None:
    world.hold()
    program = (
        "from tests.environment.parts.toolchain_fakes import *\n"
        "from local.toolchain.stages import ensure\n"
        "from local.toolchain import versions\n"
        "from pathlib import Path\n"
        "import sys\n"
        "versions.MODULES_DIR = Path(sys.argv[2])\n"
        "chain = versions.Toolchain.model_validate_json(sys.argv[3])\n"
        "ensure(['alpha'], Recorder(), cache=Path(sys.argv[1]), toolchain=chain, space=lambda _: 1 << 60)\n"
    )
    arguments = [str(world.cache), str(world.folder / "modules"), world.toolchain.model_dump_json()]
    run = subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=Path(__file__).parents[3])
    wait_until(lambda: len(world.builds) == 1, "one is built")
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert [path.name for path in (world.cache / "tools" / "first").glob("[!.]*")] == []

    recorder = Recorder()
    with Handle(
        world.toolchain, ["first"], cache=world.cache, progress=recorder, space=lambda _: 1 << 60
    ) as handle:  # fmt: skip
        # The orphaned compiler still holds the lock: nothing is compiled beside it.
        wait_until(lambda: ("waiting", "first") in recorder.events, "it waits for the first")
        assert len(world.builds) == 1
        world.release()
        assert handle.wait_for("alpha")["alpha"].exists()
    assert not list((world.cache / "tools" / "first").glob(".partial-*"))


def test_two_runs_at_once_build_once(world: World) -> None:
    world.hold()
    recorders = [Recorder(), Recorder()]
    handles = [
        Handle(world.toolchain, ["first"], cache=world.cache, progress=recorder, space=lambda _: 1 << 60)
        for recorder in recorders
    ]
    wait_until(
        lambda: any(("waiting", "first") in recorder.events for recorder in recorders), "one waits for the first"
    )
    world.release()
    paths = [handle.wait() for handle in handles]
    assert paths[0] == paths[1]
    assert len(world.builds) == 1


def test_leaving_the_handle_ends_the_build(world: World) -> None:
    world.hold()
    handle = start(cache=world.cache, toolchain=world.toolchain, progress=Recorder(), space=lambda _: 1 << 60)
    with handle:
        wait_until(lambda: len(world.builds) == 1, "one is built")
    with pytest.raises(ToolchainError, match=r"building first was killed \(SIGTERM\): run the command again"):
        handle.wait_for("alpha")
    world.release()
    assert have(world, "alpha")["alpha"].exists()


def test_a_group_can_be_used_while_the_next_one_still_compiles(world: World) -> None:
    recorder = Recorder()
    world.hold()
    with start(cache=world.cache, toolchain=world.toolchain, progress=recorder, space=lambda _: 1 << 60) as handle:
        wait_until(lambda: len(world.builds) == 1, "one is built")
        world.release()
        assert handle.wait_for("cluster").keys() == {"alpha", "beta"}
        assert handle.wait_for("gamma").keys() == {"gamma"}
    assert recorder.events[:2] == [("started", "first"), ("finished", "first")]
    assert recorder.left == [1, 0]


def test_only_the_stages_that_were_asked_for_are_built(world: World) -> None:
    with start(["provider"], cache=world.cache, toolchain=world.toolchain, progress=Recorder()) as handle:
        assert handle.wait().keys() == {"gamma"}
        with pytest.raises(ToolchainError, match="alpha is not among the tools that were started"):
            handle.wait_for("alpha")
    assert len(world.builds) == 1


def test_tools_can_be_asked_for_by_their_own_names_and_nothing_else_is_built(world: World) -> None:
    with start(["gamma"], cache=world.cache, toolchain=world.toolchain, progress=Recorder()) as handle:
        assert handle.wait().keys() == {"gamma"}
    assert len(world.builds) == 1


def test_a_module_version_that_is_not_served_is_named_with_the_file_to_change(world: World) -> None:
    world.fail_with(
        "go: example.org/alpha@v1.2.3: reading https://proxy.example.org/alpha/@v/v1.2.3.zip: 403 Forbidden\n"
        "\tserver response: This module version is not available.\n"
    )
    message = why_not(world, "alpha")
    assert "example.org/alpha@v1.2.3 is not served" in message
    assert str(world.folder / "modules" / "one" / "go.mod") in message


def test_a_module_with_a_wrong_checksum_is_named(world: World) -> None:
    world.fail_with("verifying example.org/alpha@v1.2.3: checksum mismatch\n\tdownloaded: h1:x\n\tgo.sum: h1:y\n")
    assert "example.org/alpha@v1.2.3 does not have the checksum of go.sum" in why_not(world, "alpha")


def test_an_unreachable_proxy_is_told_from_a_missing_module(world: World) -> None:
    world.fail_with('go: example.org/alpha@v1.2.3: Get "https://proxy.example.org": dial tcp: lookup failed\n')
    assert "the module proxy cannot be reached" in why_not(world, "alpha")


def test_a_compiler_that_was_killed_is_told_from_a_failing_one(world: World) -> None:
    world.fail_with("example.org/alpha: /usr/lib/go/compile: signal: killed\n")
    message = why_not(world, "alpha")
    assert "was killed" in message
    assert "run the command again" in message


def test_too_little_disk_is_refused_before_anything_is_built(world: World) -> None:
    message = why_not(world, free_gib=4.5)
    assert "building first, second needs 5 GiB free" in message
    assert "there are 4.5 GiB" in message
    assert world.builds == []


def test_a_disk_that_fills_up_while_building_is_named(world: World) -> None:
    world.fail_with("compile: writing output: no space left on device\n")
    assert "the disk is full" in why_not(world, "alpha")


def test_a_missing_go_is_named_with_the_version_to_install(world: World) -> None:
    (world.path_folder / "go").unlink()
    os.environ["PATH"] = str(world.path_folder)
    assert "go is not on PATH: install Go 1.26.4 or newer" in why_not(world, "alpha")


@pytest.mark.parametrize("version", ["go1.26.3", "go1.25.9", "go1.9"])
def test_a_go_that_is_too_old_is_named_with_the_version_to_install(world: World, version: str) -> None:
    (world.control / "version").write_text(version)
    assert f"{version} is too old: install Go 1.26.4 or newer" in why_not(world, "alpha")


def test_a_go_that_does_not_work_is_named_with_its_reason(world: World) -> None:
    write_script(world.path_folder / "go", "#!/bin/sh\necho 'go: broken installation' >&2\nexit 2\n")
    assert "go does not work (go: broken installation)" in why_not(world, "alpha")


def test_an_unknown_tool_is_refused_with_the_known_ones(world: World) -> None:
    assert why_not(world, "delta") == "delta: not a tool; there are alpha, beta, gamma"
