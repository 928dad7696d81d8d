"""Servers and folders that end with the process of tests that made them, however that one ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Standard input ends with the process that holds its other end. A server may still write for a moment, and a file
# system that a test has mounted is in use until then.
_REMOVE = """
cat
for attempt in $(seq 600); do
    if mountpoint -q "$1"; then umount "$1"; fi
    rm -rf --one-file-system "$1" && exit
    sleep 0.1
done 2>/dev/null
exit 1
"""


# The tests may have ended before the kernel was asked for the signal.
_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"'


def owned(command: Sequence[str], end: signal.Signals = signal.SIGTERM, user: str | None = None) -> list[str]:
    """The command as ``user``; the kernel sends it ``end`` when the thread that starts it has ended."""
    account = [f"--reuid={user}", "--clear-groups"] if user else []
    asked = ["setpriv", f"--pdeathsig={end.name.removeprefix('SIG')}", *account, "--"]
    return [*asked, "sh", "-c", _UNLESS_ORPHANED, str(os.getpid()), *command]


@contextmanager
def owned_folder(owner: str | None = None) -> Generator[Path]:
    """An empty folder of this user's in the machine's folder for temporary files, with all rights for ``owner``.

    Pytest's own folders cannot be entered by the users as which some servers run.
    """
    folder = Path(tempfile.mkdtemp(prefix="crypto-test-"))
    remover = subprocess.Popen(
        ["sh", "-c", _REMOVE, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if owner is not None:
            shutil.chown(folder, owner)
        yield folder
    finally:
        assert remover.stdin is not None
        remover.stdin.close()
        assert remover.wait() == 0, f"{folder} could not be removed"
