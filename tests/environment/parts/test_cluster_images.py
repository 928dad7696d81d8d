"""Image archives made in Python, and the volumes of the provisioner."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any, cast

import pytest

from local.cluster import provisioner
from local.cluster.errors import ClusterError
from local.cluster.images import ImageName, archive_images, write_archive

Claim = dict[str, Any]


def claim(**spec: object) -> Claim:
    return {
        "metadata": {
            "name": "data",
            "namespace": "crypto",
            "uid": "0b0e7a52-4d3c-4e0f-9a55-2b1f0c7d9e11",
            "annotations": {
                "volume.kubernetes.io/storage-provisioner": provisioner.PROVISIONER_NAME,
                "volume.kubernetes.io/selected-node": "crypto",
            },
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "standard",
            **spec,
        },
    }


def without(found: Claim, annotation: str) -> Claim:
    del found["metadata"]["annotations"][annotation]
    return found


def released(volume: Claim, phase: str = "Released") -> Claim:
    return {**volume, "status": {"phase": phase}}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    return path


def test_the_same_files_give_the_same_archive_and_others_another(tmp_path: Path, program: Path) -> None:
    archives = [tmp_path / f"{name}.tar" for name in "abc"]
    for archive in archives[:2]:
        write_archive(archive, "localhost/crypto/x:1", {"bin/x": program}, ("/bin/x",), "1:1")
    program.write_bytes(b"other")
    write_archive(archives[2], "localhost/crypto/x:1", {"bin/x": program}, ("/bin/x",), "1:1")
    assert archives[0].read_bytes() == archives[1].read_bytes()
    digests = {archive_images(archive)[0].digest for archive in archives}
    assert len(digests) == 2


def test_an_archive_names_its_image_and_holds_every_blob_that_it_refers_to(tmp_path: Path, program: Path) -> None:
    archive = tmp_path / "x.tar"
    write_archive(archive, "localhost/crypto/x:1", {"bin/x": program, "usr/bin/y": program}, ("/bin/x",), "7:8")
    (image,) = archive_images(archive)
    assert image == ImageName("localhost/crypto/x:1", image.digest)
    with tarfile.open(archive) as tar:
        manifest = _json(tar, f"blobs/sha256/{image.digest[7:]}")
        config = _json(tar, f"blobs/sha256/{manifest['config']['digest'][7:]}")
        assert config["config"] == {"Entrypoint": ["/bin/x"], "Env": ["PATH=/bin:/usr/bin"], "User": "7:8"}
        layer = tar.extractfile(f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}")
        with tarfile.open(fileobj=layer) as files:
            assert files.getnames() == ["bin", "usr", "usr/bin", "bin/x", "usr/bin/y"]
            assert files.getmember("bin/x").mode == 0o755


def _json(tar: tarfile.TarFile, name: str) -> dict[str, Any]:
    member = tar.extractfile(name)
    assert member is not None
    return cast("dict[str, Any]", json.load(member))


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x00" * 10240])
def test_what_is_no_image_archive_is_named(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "broken.tar"
    archive.write_bytes(content)
    with pytest.raises(ClusterError, match=r"broken\.tar is not an OCI image archive"):
        archive_images(archive)


def test_a_claim_gets_a_volume_once_a_node_is_chosen_and_from_its_own_provisioner_only() -> None:
    assert provisioner.wants_volume(claim(), "crypto")
    assert not provisioner.wants_volume(claim(), "other-node")
    assert not provisioner.wants_volume(claim(volumeName="pvc-1"), "crypto")
    assert not provisioner.wants_volume(without(claim(), "volume.kubernetes.io/selected-node"), "crypto")
    assert not provisioner.wants_volume(without(claim(), "volume.kubernetes.io/storage-provisioner"), "crypto")


def test_a_volume_is_local_so_that_the_group_of_a_pod_is_applied() -> None:
    volume = provisioner.volume_for(claim(), "crypto", Path("/run/node/volumes/x"), "Delete")
    assert volume["spec"]["local"] == {"path": "/run/node/volumes/x"}
    assert "hostPath" not in volume["spec"]
    assert volume["spec"]["claimRef"]["uid"] == claim()["metadata"]["uid"]
    assert volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]


def test_a_claim_that_cannot_be_satisfied_is_refused_with_the_reason() -> None:
    assert provisioner.refusal(claim()) is None
    assert "Block" in (provisioner.refusal(claim(volumeMode="Block")) or "")
    assert "dataSource" in (provisioner.refusal(claim(dataSource={"name": "x"})) or "")


@pytest.mark.parametrize("phase", ["Bound", "Available", "Pending"])
def test_a_volume_in_use_is_never_removed(phase: str) -> None:
    volume = provisioner.volume_for(claim(), "crypto", Path("/v/x"), "Delete")
    assert provisioner.is_to_be_removed(released(volume))
    assert not provisioner.is_to_be_removed(released(volume, phase))


def test_a_volume_to_be_retained_or_made_by_another_is_never_removed() -> None:
    retained = provisioner.volume_for(claim(), "crypto", Path("/v/x"), "Retain")
    assert not provisioner.is_to_be_removed(released(retained))
    foreign = provisioner.volume_for(claim(), "crypto", Path("/v/x"), "Delete")
    foreign["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "someone/else"}
    assert not provisioner.is_to_be_removed(released(foreign))
