"""Starts the supervisor as PID 1 of new network, mount and PID namespaces, prints its process id, and ends.

Usage: python -m local.cluster.spawn CONFIG_FILE LOG_FILE. Standard input is handed on to the supervisor, which waits on
it until the host's side of the network exists.
"""

from __future__ import annotations

import os
import sys

from local.cluster.identity import SUPERVISOR_MODULE
from local.cluster.linux import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, unshare


def main() -> int:
    config_file, log_file = sys.argv[1:3]
    os.setsid()
    unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        _become_supervisor(config_file, log_file)
    print(pid, flush=True)
    return 0


def _become_supervisor(config_file: str, log_file: str) -> None:
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.chdir("/")
    os.umask(0o022)
    os.execv(sys.executable, [sys.executable, "-m", SUPERVISOR_MODULE, config_file])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
