"""Container images as OCI archives: small ones made in Python, and what an archive holds."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from local.cluster.errors import ClusterError
from local.oci import BLOBS, INDEX, MANIFEST_TYPE, add_file, add_index, describe

PAUSE_SOURCE = Path(__file__).parent / "pause.c"
_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class ImageName:
    """An image of an archive: its full reference and the digest of its manifest ("sha256:...")."""

    reference: str
    digest: str


def write_archive(path: Path, reference: str, files: Mapping[str, Path], entrypoint: Sequence[str], user: str) -> None:
    """Write an OCI archive of one layer: `files` maps paths in the image to files of this machine (kept executable).

    The same input gives the same bytes, so the manifest's digest tells whether an image is already imported.
    """
    layer = _layer(files)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "User": user, "Env": ["PATH=/bin:/usr/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": f"{_OCI}.config.v1+json", "digest": _digest(config), "size": len(config)},
            "layers": [{"mediaType": f"{_OCI}.layer.v1.tar", "digest": _digest(layer), "size": len(layer)}],
        }
    )
    temporary = path.with_name(path.name + ".new")
    with tarfile.open(temporary, "w") as archive:
        add_index(archive, [describe(reference, _digest(manifest), len(manifest))])
        for blob in (layer, config, manifest):
            add_file(archive, f"{BLOBS}{_digest(blob)[7:]}", blob)
    temporary.replace(path)


def archive_images(archive: Path) -> list[ImageName]:
    """The images in an OCI archive. Raises ClusterError where the file is none."""
    found: list[ImageName] = []
    for manifest in archive_manifests(archive):
        annotations = cast("dict[str, str]", manifest.get("annotations") or {})
        name = annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name")
        if name:
            found.append(ImageName(name, str(manifest["digest"])))
    if not found:
        raise ClusterError(f"{archive} names no image: write it with a full reference, such as localhost/crypto/ops:1")
    return found


def archive_manifests(archive: Path) -> list[dict[str, Any]]:
    """What the index of an OCI archive says of its images. Raises ClusterError where the file is none."""
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(INDEX)
            index = cast("dict[str, Any]", json.load(member)) if member else {}
    except (OSError, KeyError, tarfile.TarError, ValueError) as error:
        raise ClusterError(f"{archive} is not an OCI image archive ({error}): build it again") from error
    return cast("list[dict[str, Any]]", index.get("manifests", []))


def build_pause(folder: Path) -> tuple[str, Path]:
    """Compile the sandbox image into `folder`, once; return its reference and its archive."""
    source = PAUSE_SOURCE.read_bytes()
    reference = f"localhost/crypto/pause:{hashlib.sha256(source).hexdigest()[:12]}"
    archive = folder / f"pause-{reference.rpartition(':')[2]}.tar"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        binary = folder / "pause"
        compile_static(PAUSE_SOURCE, binary)
        write_archive(archive, reference, {"pause": binary}, ("/pause",), "65535:65535")
    return reference, archive


def compile_static(source: Path, binary: Path) -> None:
    """Compile a C program that needs no library at run time. Raises ClusterError."""
    command = ["gcc", "-static", "-Os", "-s", "-Wl,--build-id=none", "-o", str(binary), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise ClusterError("gcc is not installed: apt-get install --no-remove gcc libc6-dev") from None
    except subprocess.CalledProcessError as error:
        detail = cast("str", error.stderr).strip().splitlines()[-1:]
        raise ClusterError(f"gcc could not compile {source.name}: {' '.join(detail)}") from None


def _layer(files: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for folder in sorted({str(p) for name in files for p in Path(name).parents if str(p) != "."}):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            layer.addfile(info)
        for name, source in sorted(files.items()):
            add_file(layer, name, source.read_bytes(), 0o755)
    return buffer.getvalue()


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
