"""Locks of the Pulumi file backend: those of the dead go, all others stay."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import pulumi_locks


def _lock(state: Path, content: Any) -> Path:
    path = state / ".pulumi" / "locks" / "organization" / "crypto" / "local" / "a.json"
    path.parent.mkdir(parents=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def _ended_process() -> int:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    path = _lock(tmp_path, {"pid": _ended_process(), "hostname": socket.gethostname()})
    assert pulumi_locks.clear_dead(tmp_path) == [path]
    assert not path.exists()


def test_the_lock_of_a_process_that_took_over_the_number_is_removed(tmp_path: Path) -> None:
    path = _lock(tmp_path, {"pid": os.getpid(), "hostname": socket.gethostname()})
    assert pulumi_locks.clear_dead(tmp_path) == [path]


def test_the_lock_of_a_running_engine_stays(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as engine:
        path = _lock(tmp_path, {"pid": engine.pid, "hostname": socket.gethostname()})
        removed = pulumi_locks.clear_dead(tmp_path)
        engine.kill()
    assert removed == []
    assert path.exists()


def test_an_engine_whose_caller_was_killed_is_waited_for_and_named_once(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", program)
    said: list[str] = []
    pauses: list[float] = []
    with subprocess.Popen([program, "60"]) as engine:
        path = _lock(tmp_path, {"pid": engine.pid, "hostname": socket.gethostname()})

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                engine.kill()
                engine.wait()

        pulumi_locks.await_free(tmp_path, said.append, pause)
    assert said == [f"process {engine.pid} of pulumi still works on the stack: waiting for its end"]
    assert len(pauses) == 3
    assert not path.exists()


def test_the_lock_of_a_killed_engine_that_nobody_has_reaped_is_removed(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as engine:
        path = _lock(tmp_path, {"pid": engine.pid, "hostname": socket.gethostname()})
        engine.kill()
        # Waits for its end and leaves the zombie to the `with` block.
        os.waitid(os.P_PID, engine.pid, os.WEXITED | os.WNOWAIT)
        assert pulumi_locks.clear_dead(tmp_path) == [path]


@pytest.mark.parametrize("content", ["", "{", [], {"pid": "x", "hostname": "h"}, {"pid": 1}])
def test_a_lock_that_cannot_be_read_stays(tmp_path: Path, content: Any) -> None:
    path = _lock(tmp_path, content)
    assert pulumi_locks.clear_dead(tmp_path) == []
    assert path.exists()


def test_the_lock_of_another_machine_stays(tmp_path: Path) -> None:
    path = _lock(tmp_path, {"pid": _ended_process(), "hostname": "elsewhere"})
    assert pulumi_locks.clear_dead(tmp_path) == []
    assert path.exists()


def test_a_backend_without_locks_is_fine(tmp_path: Path) -> None:
    assert pulumi_locks.clear_dead(tmp_path) == []
