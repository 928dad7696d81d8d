"""The import of OCI archives into the cluster's containerd: all of them at once, and what they share only once.

Nearly every image stands on the same base, and one import each would bring that base again each time
(`python -m benchmarks.images` compares them).
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, cast

from local.cluster.errors import ClusterError
from local.cluster.images import archive_images, archive_manifests
from local.oci import BLOBS, add_index
from local.stop import Stop

NAMESPACE = "k8s.io"
_PIECE = 1 << 20
# Without `--local` it goes through containerd's transfer service, which was slower when it was tried.
_IMPORT = ("images", "import", "--local", "-")


def import_archives(ctr: Path, socket: Path, archives: Iterable[Path], stop: Stop | None = None) -> list[str]:
    """Import the archives whose images containerd does not hold yet; return the references that were imported.

    Raises:
        ClusterError: a file is no whole archive (nothing is imported then), containerd refused it, or `stop` was asked.
    """
    present = _present(ctr, socket)
    names = {archive: archive_images(archive) for archive in archives}
    wanted = [
        archive for archive, images in names.items() if any(present.get(it.reference) != it.digest for it in images)
    ]
    if wanted:
        _import(_command(ctr, socket, *_IMPORT), wanted, stop)
    return [image.reference for archive in wanted for image in names[archive]]


def merge(archives: Sequence[Path], stream: IO[bytes], stop: Stop | None = None) -> None:
    """Write one archive with the images of all of these, each blob once. Raises ClusterError where `stop` was asked."""
    written: set[str] = set()
    manifests: list[dict[str, Any]] = []
    with tarfile.open(fileobj=stream, mode="w|", bufsize=_PIECE) as merged:
        for archive in archives:
            manifests += archive_manifests(archive)
            with tarfile.open(archive) as source:
                for member in source:
                    if stop is not None and stop.asked:
                        raise ClusterError("the import was stopped", passing=True)
                    if member.isfile() and member.name.startswith(BLOBS) and member.name not in written:
                        merged.addfile(member, source.extractfile(member))
                        written.add(member.name)
        add_index(merged, manifests)


def _import(command: list[str], archives: Sequence[Path], stop: Stop | None) -> None:
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as process:
            try:
                with cast("IO[bytes]", process.stdin) as stream:
                    merge(archives, stream, stop)
            except BrokenPipeError:
                # It ended before everything was written: at the archive's end, or for a reason that it gives.
                pass
            except BaseException:
                process.kill()
                raise
        said.seek(0)
        _check(process.returncode, said.read().decode(errors="replace"), command)


def _present(ctr: Path, socket: Path) -> dict[str, str]:
    command = _command(ctr, socket, "images", "list")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    _check(done.returncode, done.stderr, command)
    columns = [row.split() for row in done.stdout.splitlines()[1:]]
    return {row[0]: row[2] for row in columns if len(row) > 2}


def _command(ctr: Path, socket: Path, *arguments: str) -> list[str]:
    return [str(ctr), "--address", str(socket), "--namespace", NAMESPACE, *arguments]


def _check(code: int, errors: str, command: Sequence[str]) -> None:
    if code != 0:
        detail = " ".join(errors.strip().splitlines()[-1:])
        raise ClusterError(f"containerd refused `ctr {' '.join(command[5:])}`: {detail}")
