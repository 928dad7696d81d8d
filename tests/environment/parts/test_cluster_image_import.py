"""Images go into the cluster's containerd together: what they share once, and nothing is lost silently."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from local.cluster.errors import ClusterError
from local.cluster.image_import import import_archives, merge
from local.cluster.images import ImageName, archive_images, write_archive
from local.oci import BLOBS

SOCKET = Path("/run/containerd.sock")


def _archive(folder: Path, name: str, content: bytes) -> Path:
    program = folder / "program"
    program.write_bytes(content)
    archive = folder / f"{name}.tar"
    write_archive(archive, f"localhost/crypto/{name}:1", {"bin/x": program}, ("/bin/x",), "1:1")
    return archive


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Three images, of which the first two have the same layer and the same configuration."""
    return [_archive(tmp_path, name, content) for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two"))]


def _ctr(folder: Path, script: str, *there: ImageName) -> Path:
    """A stand-in for ctr that has these images and does this with what it is to import."""
    rows = "".join(f"echo '{image.reference} type {image.digest}'; " for image in there)
    path = folder / "ctr"
    path.write_text(
        f'#!/bin/sh\necho "$@" >> "{folder}/calls"\nif [ "$6" = list ]; then echo REF; {rows}exit 0; fi\n{script}\n'
    )
    path.chmod(0o755)
    return path


def _blobs(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return [name for name in tar.getnames() if name.startswith(BLOBS)]


def test_one_archive_has_the_images_of_all_and_each_blob_once(tmp_path: Path, archives: list[Path]) -> None:
    merged = tmp_path / "merged.tar"
    with merged.open("wb") as stream:
        merge(archives, stream)
    expected = [image for archive in archives for image in archive_images(archive)]
    assert len(expected) == 3
    assert archive_images(merged) == expected
    every = [blob for archive in archives for blob in _blobs(archive)]
    assert len(every) > len(set(every)) > 3
    assert sorted(_blobs(merged)) == sorted(set(every))
    with tarfile.open(merged) as tar, tarfile.open(archives[2]) as own:
        for name in _blobs(archives[2]):
            contents = [found.extractfile(name) for found in (tar, own)]
            assert all(contents)
            assert len({content.read() for content in contents if content}) == 1


def test_only_what_is_not_there_is_imported_and_by_one_call(tmp_path: Path, archives: list[Path]) -> None:
    (first,) = archive_images(archives[0])
    ctr = _ctr(tmp_path, f"cat > '{tmp_path}/imported.tar'", first)
    assert import_archives(ctr, SOCKET, archives) == ["localhost/crypto/b:1", "localhost/crypto/c:1"]
    assert [image.reference for image in archive_images(tmp_path / "imported.tar")] == [
        "localhost/crypto/b:1",
        "localhost/crypto/c:1",
    ]
    assert (tmp_path / "calls").read_text().count("images import") == 1


def test_an_image_of_the_same_name_and_other_content_is_imported(tmp_path: Path, archives: list[Path]) -> None:
    old = ImageName("localhost/crypto/a:1", "sha256:00")
    ctr = _ctr(tmp_path, "cat > /dev/null", old)
    assert import_archives(ctr, SOCKET, archives[:1]) == [old.reference]


def test_nothing_is_imported_when_every_image_is_there(tmp_path: Path, archives: list[Path]) -> None:
    ctr = _ctr(tmp_path, "exit 7", *(image for archive in archives for image in archive_images(archive)))
    assert import_archives(ctr, SOCKET, archives) == []
    assert "import" not in (tmp_path / "calls").read_text()


@pytest.mark.parametrize("reading", ["", "cat > /dev/null; "])
def test_what_containerd_refuses_is_said_in_its_words(tmp_path: Path, archives: list[Path], reading: str) -> None:
    big = tmp_path / "big"
    big.mkdir()
    # More than a pipe holds: the import ends while it is still being written.
    more = [_archive(big, "d", os.urandom(1 << 20))]
    ctr = _ctr(tmp_path, f"{reading}echo first >&2; echo 'no space left on device' >&2; exit 1")
    with pytest.raises(ClusterError, match=r"refused `ctr images import --local -`: no space left on device"):
        import_archives(ctr, SOCKET, archives + more)


def test_an_archive_that_is_not_whole_is_named_before_anything_is_imported(
    tmp_path: Path, archives: list[Path]
) -> None:
    whole = archives[2].read_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        last = max((member for member in tar if member.isfile()), key=lambda member: member.offset_data)
    archives[2].write_bytes(whole[: last.offset_data + last.size // 2])
    ctr = _ctr(tmp_path, "cat > /dev/null")
    with pytest.raises(ClusterError, match=r"c\.tar is not an OCI image archive \(.*\): build it again"):
        import_archives(ctr, SOCKET, archives)
    assert "import" not in (tmp_path / "calls").read_text()
