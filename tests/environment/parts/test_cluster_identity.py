"""Which process is the supervisor, and which command may change the cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cluster import identity
from local.cluster import status as status_file
from local.cluster.errors import ClusterError
from local.cluster.identity import ProcessFacts, ProcessIdentity
from local.cluster.lock import exclusive
from local.paths import Instance
from tests.waiting import wait_until


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("blue", 5, tmp_path / "blue", tmp_path)


@pytest.fixture
def stranger() -> Iterator[int]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


def own_identity() -> ProcessIdentity:
    found = identity.facts(os.getpid())
    assert found is not None
    return found.identity


def test_a_foreign_process_in_the_pid_file_is_not_the_supervisor(stranger: int, tmp_path: Path) -> None:
    found = identity.facts(stranger)
    assert found is not None
    identity.write(tmp_path / "pid", found.identity)
    assert identity.find_supervisor(tmp_path / "pid", tmp_path / "config") is None


def test_a_process_with_the_right_words_but_no_namespace_of_its_own_is_not_the_supervisor(tmp_path: Path) -> None:
    argv = ("python", "-m", identity.SUPERVISOR_MODULE, str(tmp_path))
    outside = ProcessFacts(own_identity(), argv, innermost_pid=1)
    assert not identity.is_supervisor(outside, tmp_path)


def test_the_supervisor_of_another_instance_is_not_this_one(tmp_path: Path) -> None:
    inside = own_identity().model_copy(update={"pid_namespace": 1})
    argv = ("python", "-m", identity.SUPERVISOR_MODULE, "/other/config")
    assert not identity.is_supervisor(ProcessFacts(inside, argv, 1), tmp_path)
    assert identity.is_supervisor(ProcessFacts(inside, argv, 1), Path("/other/config"))


def test_a_reused_process_id_is_another_process(stranger: int) -> None:
    found = identity.facts(stranger)
    assert found is not None
    assert identity.is_alive(found.identity)
    assert not identity.is_alive(found.identity.model_copy(update={"start_ticks": found.identity.start_ticks - 1}))


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            found = identity.facts(process.pid)
            assert found is not None
            process.kill()
            wait_until(lambda: not identity.is_alive(found.identity), "it is dead")
        finally:
            # Leaving the block waits for the process, whatever happened in it.
            process.kill()


def test_a_process_that_becomes_another_program_is_alive_all_the_while(
    stranger: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the middle of execve(2) a process has no arguments: the kernel has dropped the old ones.
    becoming = identity.facts(stranger)
    assert becoming is not None
    proc = tmp_path / str(stranger)
    proc.mkdir()
    (proc / "cmdline").write_bytes(b"")
    for name in ("stat", "status", "ns"):
        (proc / name).symlink_to(identity.PROC / str(stranger) / name)
    for name in ("sys", "self"):
        (tmp_path / name).symlink_to(identity.PROC / name)
    monkeypatch.setattr(identity, "PROC", tmp_path)
    assert identity.is_alive(becoming.identity)
    assert identity.find_supervisor(tmp_path / "pid", tmp_path / "config") is None


@pytest.mark.parametrize("content", ["", "12", "{}", '{"pid": "x"}', "\x00"])
def test_a_damaged_pid_or_status_file_reads_as_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "file"
    file.write_text(content)
    assert identity.read(file) is None
    assert status_file.read(file) is None


def test_a_second_holder_of_the_lock_is_refused_and_the_first_named(instance: Instance) -> None:
    with exclusive(instance), pytest.raises(ClusterError, match=f"process {os.getpid()}"), exclusive(instance):
        pass
    with exclusive(instance):
        pass


@pytest.mark.parametrize(("variable", "value"), [("CRYPTO_INSTANCE", "Bad"), ("CRYPTO_SLOT", "300")])
def test_the_command_line_answers_a_user_error_with_one_line(variable: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.cluster", "status"],
        env={**os.environ, variable: value}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {variable}=")
    assert done.stderr.count("\n") == 1
