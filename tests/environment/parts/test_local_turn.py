"""Commands that change one instance come one after another, and a killed one blocks nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import __main__ as cli
from local.errors import LocalError
from local.paths import Instance
from local.turn import LOCK, turn

_CHECKOUT = Path(__file__).resolve().parents[3]
# Holds the turn until its input ends; its own child, which inherits what it can, goes on.
_HOLDER = """
import subprocess, sys
from pathlib import Path
from local.paths import Instance
from local.turn import turn
with turn(Instance("blue", 9, Path(sys.argv[1]), Path(sys.argv[1])), "up"):
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    sys.stdin.read()
child.kill()
"""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("blue", 9, tmp_path / "blue", tmp_path / "cache")


@contextmanager
def another_up(instance: Instance) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _HOLDER, str(instance.state_dir)]
    with subprocess.Popen(
        command, cwd=_CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            yield holder
        finally:
            holder.kill()
            subprocess.run(["kill", "-KILL", str(child)], check=False, capture_output=True)


def test_a_second_up_says_who_works_and_goes_on_when_that_one_has_ended(instance: Instance) -> None:
    said: list[str] = []
    told = threading.Event()
    done = threading.Event()

    def tell(line: str) -> None:
        said.append(line)
        told.set()

    def second() -> None:
        with turn(instance, "up", tell):
            done.set()

    with another_up(instance) as holder:
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(20)
        assert said[0].startswith(f"process {holder.pid} (make up, since ")
        assert said[0].endswith("works on the environment blue: waiting for its end")
        assert not done.is_set()
        assert holder.stdin is not None
        holder.stdin.close()
        assert done.wait(20)
        thread.join()
    assert len(said) == 1


def test_a_killed_up_leaves_the_turn_to_the_next_although_its_children_live(instance: Instance) -> None:
    with another_up(instance) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with turn(instance, "up"):
            assert f"process {holder.pid}" not in (instance.state_dir / LOCK).read_text()


@pytest.mark.parametrize("command", ["down", "clean"])
def test_down_and_clean_during_an_up_are_refused_with_its_process(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("CRYPTO_INSTANCE", "blue")
    with another_up(Instance.from_environment()) as holder:
        assert cli.main([command]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"{command}: process {holder.pid} (make up, since ")
        assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["down", "clean"])
def test_where_nothing_was_ever_started_no_folder_is_made(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert cli.main([command]) == 0
    assert list(tmp_path.iterdir()) == []


def test_who_waits_for_a_clean_gets_a_turn_of_the_new_folder(instance: Instance) -> None:
    told = threading.Event()
    done = threading.Event()

    def second() -> None:
        with turn(instance, "up", lambda _: told.set()):
            with pytest.raises(LocalError, match="works on the environment blue"), turn(instance, "down"):
                pass
            done.set()

    with turn(instance, "clean"):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(20)
        (instance.state_dir / LOCK).unlink()
    assert done.wait(20)
    thread.join()
