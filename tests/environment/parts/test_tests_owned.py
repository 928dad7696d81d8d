"""What tests start ends with them, even where they are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.cluster import identity
from tests.running.owned import owned_folder
from tests.waiting import wait_until

_ROOT = Path(__file__).parents[3]
_TESTS = """
import subprocess, sys
from tests.running.owned import owned, owned_folder
with owned_folder() as folder:
    script = 'while :; do date >> "$0/log"; sleep 0.01; done 2>/dev/null'
    server = subprocess.Popen(owned(["sh", "-c", script, str(folder)]))
    print(f"{server.pid}:{folder}", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_servers_and_folders_of_tests_end_with_a_process_of_tests_that_is_killed(end: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _TESTS], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        pid, folder = tests.stdout.readline().strip().split(":")
        server = identity.facts(int(pid))
        assert server is not None
        assert Path(folder).is_dir()
        tests.send_signal(end)
    wait_until(lambda: not identity.is_alive(server.identity), "the server has ended")
    wait_until(lambda: not Path(folder).exists(), "the folder is gone")


def test_a_folder_of_tests_is_gone_after_its_block() -> None:
    with owned_folder() as folder:
        (folder / "full").mkdir()
        (folder / "full" / "file").write_text("x")
    assert not folder.exists()
