"""Work side by side: the first error ends the rest and is the one that is told."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from local import toolchain as toolchain_module
from local import up as up_module
from local.cluster.errors import ClusterError
from local.errors import LocalError
from local.images.errors import ImageError
from local.paths import Instance
from local.stop import Stop
from local.together import Together
from local.toolchain.errors import ToolchainError
from local.toolchain.stages import start
from tests.environment.parts.toolchain_fakes import Recorder, World, make_world
from tests.waiting import wait_until

LONG_SECONDS = 20.0


def until_stopped(stop: Stop) -> None:
    """Work that goes on until it is stopped, and complains of it."""
    stopped = threading.Event()
    stop.calls(stopped.set)
    assert stopped.wait(LONG_SECONDS)
    raise LocalError("was stopped")


def fail(message: str) -> None:
    raise LocalError(message)


def test_the_first_error_ends_the_others_and_is_the_one_that_is_raised() -> None:
    def work_side_by_side() -> None:
        with Together() as work:
            waiting = work.start(lambda: until_stopped(work.stop))
            work.start(lambda: fail("no bucket"))
            waiting.result()

    with pytest.raises(LocalError, match="no bucket"):
        work_side_by_side()


def test_an_error_of_the_body_ends_the_threads() -> None:
    def work_side_by_side() -> None:
        with Together() as work:
            work.start(lambda: until_stopped(work.stop))
            fail("the body")

    with pytest.raises(LocalError, match="the body"):
        work_side_by_side()


def test_work_that_succeeds_gives_its_results() -> None:
    with Together() as work:
        results = [work.start(lambda value=value: value * value) for value in (2, 3)]
        assert [result.result() for result in results] == [4, 9]
    assert not work.stop.asked


def test_who_comes_after_the_stop_is_ended_at_once() -> None:
    stop = Stop()
    stop.ask()
    called: list[str] = []
    stop.calls(lambda: called.append("ended"))
    assert called == ["ended"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine for `up` whose toolchain is the fake one; nothing of it reaches a cluster."""
    made = make_world(tmp_path, monkeypatch)

    def start_fake(names: object, progress: object) -> toolchain_module.Handle:
        del names, progress
        return start(
            cache=made.cache, toolchain=made.toolchain, progress=Recorder(), space=lambda _: 1 << 60
        )  # fmt: skip

    monkeypatch.setattr(up_module.toolchain, "start", start_fake)
    monkeypatch.setattr(up_module.toolchain, "crds", list[Path])
    monkeypatch.setattr(up_module, "_check_machine", print)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


def run_up(world: World) -> LocalError:
    instance = Instance("blue", 9, world.folder / "state", world.cache)
    began = time.monotonic()
    with pytest.raises(LocalError) as caught:
        up_module.up(instance)
    assert time.monotonic() - began < LONG_SECONDS, "something was not stopped"
    return caught.value


def hold_images(*_: Any, stop: Stop) -> None:
    until_stopped(stop)


def test_an_image_that_fails_ends_the_toolchain_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_image(*_: Any, **__: Any) -> None:
        wait_until(lambda: len(world.builds) == 1, "one is built")
        raise ImageError("image redis failed: no such package").with_log(["E: no such package"])

    world.hold()
    monkeypatch.setattr(up_module, "build_all", fail_image)
    error = run_up(world)
    assert error.shown().splitlines() == [
        "image redis failed: no such package",
        "  | E: no such package",
        "mend that, then run `make up` again: it goes on from there",
    ]


def test_a_tool_that_fails_ends_the_images_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fail_with("./main.go:3: undefined: x\n")
    monkeypatch.setattr(up_module, "build_all", hold_images)
    error = run_up(world)
    assert isinstance(error, ToolchainError)
    assert str(error).startswith("building first failed: ./main.go:3: undefined: x")
    assert "  | ./main.go:3: undefined: x" in error.shown()


def test_a_tool_that_fails_ends_the_start_of_the_cluster_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def bring_up(_spec: object, _progress: object, stop: Stop, _built: object) -> None:
        world.fail_with("second: signal: killed\n")
        world.release()
        until_stopped(stop)

    monkeypatch.setattr(up_module, "build_all", hold_images)
    monkeypatch.setattr(up_module, "cluster_up", bring_up)
    # The first group is there already; the second fails while the cluster comes up.
    with start(["alpha"], cache=world.cache, toolchain=world.toolchain, progress=Recorder()) as handle:
        handle.wait()
    world.hold()
    error = run_up(world)
    assert str(error).startswith("building second was killed")
    assert error.shown().splitlines()[-1] == "run `make up` again: it goes on from there"


def test_a_daemon_that_fails_ends_the_toolchain_and_the_images(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def bring_up(*_: object) -> None:
        raise ClusterError("etcd keeps ending (exit code 1): no space")

    monkeypatch.setattr(up_module, "build_all", hold_images)
    monkeypatch.setattr(up_module, "cluster_up", bring_up)
    assert str(run_up(world)) == "etcd keeps ending (exit code 1): no space"
