"""OCI archives: the names of their parts, and the index that makes the blobs in one images."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any, Final

INDEX: Final = "index.json"
BLOBS: Final = "blobs/sha256/"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
_LAYOUT: Final = "oci-layout"


def describe(reference: str, digest: str, size: int) -> dict[str, Any]:
    """What the index says of an image: the ``digest`` ("sha256:...") and ``size`` in bytes are its manifest's."""
    return {
        "mediaType": MANIFEST_TYPE,
        "digest": digest,
        "size": size,
        "annotations": {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference},
    }


def add_index(archive: tarfile.TarFile, manifests: Sequence[dict[str, Any]]) -> None:
    """Writes what names the images of an archive; ``manifests`` are their descriptions."""
    add_file(archive, _LAYOUT, b'{"imageLayoutVersion":"1.0.0"}')
    add_file(archive, INDEX, json.dumps({"schemaVersion": 2, "manifests": list(manifests)}, sort_keys=True).encode())


def add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """Writes a file whose entry depends on nothing else, so that the same content gives the same bytes."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))
