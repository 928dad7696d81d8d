"""OCI archives out of what buildah pushes to a folder.

Buildah's own archives are compressed, whatever it is asked for: gzip took longer than all builds together, and
containerd, on this same machine, would undo it.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Final

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
# What of the folder is no blob: blobs are named by their digest.
_OTHER_FILES: Final = ("manifest.json", "version")


def pack(folder: Path, ref: str, archive: Path) -> None:
    """Write the image that lies in `folder` (transport `dir:`) to `archive`, under the name `ref`."""
    manifest = (folder / "manifest.json").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": _MANIFEST,
                "digest": f"sha256:{digest}",
                "size": len(manifest),
                "annotations": {"io.containerd.image.name": ref, "org.opencontainers.image.ref.name": ref},
            }
        ],
    }
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", json.dumps(index).encode())
        _add(tar, f"blobs/sha256/{digest}", manifest)
        for blob in sorted(folder.iterdir()):
            if blob.name not in _OTHER_FILES:
                tar.add(blob, f"blobs/sha256/{blob.name}", recursive=False)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
