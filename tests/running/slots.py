"""A number for each process of tests, unique on the machine: its ports and its subnets follow from it.

The kernel drops the lock with its holder, so a killed process leaves nothing to clear.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Final

SLOTS: Final = 20
# Below the ports that the kernel gives to connections (32768 and up on Linux): none of those can be in the way.
_FIRST_PORT: Final = 12000
_PORTS: Final = 1000
# Above the slots that people choose for environments of their own.
_FIRST_CLUSTER: Final = 150
_CLUSTERS: Final = 5


@cache
def number() -> int:
    """This process's number, from 0 to ``SLOTS`` - 1.

    Raises:
        RuntimeError: as many processes of tests run already.
    """
    folder = Path(tempfile.gettempdir()) / "crypto-operations-tests"
    folder.mkdir(exist_ok=True)
    for slot in range(SLOTS):
        descriptor = os.open(folder / f"slot-{slot}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return slot
    raise RuntimeError(f"{SLOTS} processes of tests run on this machine: wait until one of them ends")


@cache
def _ports() -> cycle[int]:
    first = _FIRST_PORT + number() * _PORTS
    return cycle(range(first, first + _PORTS))


def free_port() -> int:
    """A TCP port of loopback without a listener. No other test gets the same one."""
    for port in _ports():
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a cycle has no end")


def cluster_slot(which: int) -> int:
    """CRYPTO_SLOT of this process's cluster number ``which`` (0 to 4): clusters that run side by side differ."""
    if not 0 <= which < _CLUSTERS:
        raise ValueError(f"cluster {which}: a process of tests has the clusters 0 to {_CLUSTERS - 1}")
    return cluster_slots()[which]


def cluster_slots() -> range:
    """CRYPTO_SLOT of all clusters that this process may have."""
    first = _FIRST_CLUSTER + number() * _CLUSTERS
    return range(first, first + _CLUSTERS)
