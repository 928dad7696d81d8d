"""The few system calls that Python 3.11 does not offer: unshare(2), mount(2) and umount2(2)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SHARED = 0x100000

MNT_DETACH = 0x2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.unshare.argtypes = [ctypes.c_int]


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones. Raises OSError."""
    if _libc.unshare(flags) != 0:
        raise _error("unshare")


def mount(source: str, target: str, fstype: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2). Raises OSError that names the target."""
    encoded = (source.encode(), target.encode(), fstype and fstype.encode(), flags, data and data.encode())
    if _libc.mount(*encoded) != 0:
        raise _error(f"mount {target}")


def detach(target: str) -> None:
    """Unmount lazily. Raises OSError that names the target."""
    if _libc.umount2(target.encode(), MNT_DETACH) != 0:
        raise _error(f"umount {target}")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo: where it is mounted, its file system type, and its super options."""

    target: Path
    fstype: str
    options: frozenset[str]


def mounts(text: str | None = None) -> Iterator[Mount]:
    """The mounts of this process's mount namespace, in mount order (`text`: a mountinfo file's content)."""
    content = Path("/proc/self/mountinfo").read_text() if text is None else text
    for line in content.splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, rest = after.partition(" ")
        target = before.split(" ")[4].encode().decode("unicode_escape")
        yield Mount(Path(target), fstype, frozenset(rest.split(" ")[-1].split(",")))
