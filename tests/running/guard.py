"""Ends a cluster whose tests were killed: nothing else would.

`python -m tests.running.guard PID` waits for the end of that process, then cleans the instance that its own environment
names. Where the tests have cleaned it themselves, there is nothing to do.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# As long as a start may take.
_SECONDS = 1800.0


@contextmanager
def guarded(variables: Mapping[str, str]) -> Generator[None]:
    """While the block runs, the end of this process is followed by `clean` of the instance that ``variables`` name."""
    guard = subprocess.Popen(
        [sys.executable, "-m", __name__, str(os.getpid())],
        cwd=ROOT,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()
        guard.wait()


def main(pid: int) -> int:
    """Waits, cleans, and returns the exit code of `clean`."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        pass
    else:
        select.select([watched], [], [])
    # A command that the tests had started may still hold the instance: its end is waited for.
    deadline = time.monotonic() + _SECONDS
    while True:
        code = subprocess.run([sys.executable, "-m", "local", "clean"], cwd=ROOT, check=False).returncode
        if code == 0 or time.monotonic() > deadline:
            return code
        time.sleep(1)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
