"""What a machine lacks is told in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.cluster.errors import ClusterError
from local.cluster.machine import TOOLS, check_tools
from local.cluster.packages import CLUSTER_PACKAGES, Package, missing_packages

QUESTION = "from local.cluster.machine import why_containers_cannot_run as why; print(why())"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes rights away, so it has to have them first")


def answer(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


@as_root
def test_without_root_the_reason_is_said() -> None:
    question = f"import os, local.cluster.machine; os.seteuid(65534); {QUESTION}"
    assert answer(sys.executable, "-c", question).startswith("not root: ")


@as_root
def test_without_the_right_to_make_namespaces_the_reason_is_said() -> None:
    without = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    assert answer(*without, sys.executable, "-c", QUESTION).startswith("the kernel allows no new namespaces or mounts ")


def test_missing_programs_are_named(tmp_path: Path) -> None:
    present = TOOLS[:-2]
    for name in present:
        (tmp_path / name).touch(mode=0o755)
    with pytest.raises(ClusterError, match=f"lacks {TOOLS[-2]}, {TOOLS[-1]}: build the toolchain first"):
        check_tools(tmp_path)


def test_a_relative_folder_of_programs_is_refused() -> None:
    with pytest.raises(ClusterError, match="relative path"):
        check_tools(Path("bin"))


def test_a_package_is_missing_when_one_of_its_programs_or_files_is(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    packages = (
        Package("shell", programs=("sh",), files=(tmp_path,)),
        Package("half", programs=("sh", "no-such-program")),
        Package("files", files=(tmp_path, absent)),
    )
    assert missing_packages(packages) == ["half", "files"]


def test_every_package_of_the_cluster_can_be_recognised() -> None:
    assert len(CLUSTER_PACKAGES) > 3
    assert all(package.programs or package.files for package in CLUSTER_PACKAGES)
