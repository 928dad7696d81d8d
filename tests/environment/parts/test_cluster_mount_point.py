"""The folder that instances share: it is there for as long as one of them holds it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from local.cluster import mount_point


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lib" / "cni"
    monkeypatch.setattr(mount_point, "CNI_CACHE", path)
    return path


def test_a_held_folder_is_there_while_other_instances_end(folder: Path) -> None:
    over = threading.Event()

    def end_others() -> None:
        while not over.is_set():
            mount_point.remove()

    other = threading.Thread(target=end_others)
    other.start()
    try:
        for _ in range(500):
            held = mount_point.hold()
            assert folder.is_dir()
            os.close(held)
    finally:
        over.set()
        other.join()


def test_the_last_one_to_end_removes_the_folder(folder: Path) -> None:
    first, second = mount_point.hold(), mount_point.hold()
    os.close(first)
    mount_point.remove()
    assert folder.is_dir()
    os.close(second)
    mount_point.remove()
    assert not folder.exists()


def test_a_folder_of_the_machines_own_stays(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.close(mount_point.hold())
    mount_point.remove()
    assert folder.is_dir()
