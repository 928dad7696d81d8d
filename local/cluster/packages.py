"""The Debian packages that the cluster needs from the machine, and how to see whether they are there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CNI_BIN_DIR = Path("/usr/lib/cni")


@dataclass(frozen=True)
class Package:
    """A Debian package, with the programs (names on PATH) and files (absolute paths) that stand for it.

    Any package may bring them: Docker's own containerd.io has runc, and Debian's package runc would remove it.
    Daemons are started with SYSTEM_PATH; a program that commands of the user start may also lie on the `users` PATH.
    """

    name: str
    programs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    users: bool = False

    def missing(self) -> str | None:
        """The first program or file that is not there, or None."""
        return next(self._missing(), None)

    def _missing(self) -> Iterator[str]:
        search = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}" if self.users else SYSTEM_PATH
        yield from (name for name in self.programs if shutil.which(name, path=search) is None)
        yield from (str(path) for path in self.files if not path.exists())


CLUSTER_PACKAGES: tuple[Package, ...] = (
    Package("runc", programs=("runc",)),
    Package(
        "containernetworking-plugins",
        files=tuple(CNI_BIN_DIR / p for p in ("ptp", "host-local", "loopback", "portmap")),
    ),
    Package("iptables", programs=("iptables", "ip6tables", "iptables-save", "iptables-restore")),
    Package("nftables", programs=("nft",)),
    Package("iproute2", programs=("ip",)),
    Package("mount", programs=("mount", "umount")),
    Package("gcc", programs=("gcc",)),
    Package("libc6-dev", files=(Path("/usr/include/unistd.h"),)),
)


def missing_packages(packages: tuple[Package, ...] = CLUSTER_PACKAGES) -> list[str]:
    """Names of the Debian packages whose programs or files are not on this machine."""
    return [package.name for package in packages if package.missing() is not None]
