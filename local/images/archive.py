"""OCI archives out of what buildah pushes to a folder.

Buildah's own archives are compressed, whatever it is asked for: gzip took longer than all builds together, and
containerd, on this same machine, would undo it.
"""

import hashlib
import tarfile
from pathlib import Path
from typing import Final

from local.oci import BLOBS, add_file, add_index, describe

# What of the folder is no blob: blobs are named by their digest.
_OTHER_FILES: Final = ("manifest.json", "version")


def pack(folder: Path, ref: str, archive: Path) -> None:
    """Write the image that lies in `folder` (transport `dir:`) to `archive`, under the name `ref`."""
    manifest = (folder / "manifest.json").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    with tarfile.open(archive, "w") as tar:
        add_index(tar, [describe(ref, f"sha256:{digest}", len(manifest))])
        add_file(tar, f"{BLOBS}{digest}", manifest)
        for blob in sorted(folder.iterdir()):
            if blob.name not in _OTHER_FILES:
                tar.add(blob, f"{BLOBS}{blob.name}", recursive=False)
