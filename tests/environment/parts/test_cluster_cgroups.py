"""What the cgroups of pods tell, with either version of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import priority
from local.cluster import cgroups, lifecycle
from local.cluster.linux import Mount
from local.paths import Instance


def mounted(folder: Path, fstype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [Mount(folder, fstype, frozenset({"cpuacct"}))])


def test_the_processor_time_of_a_pod_is_read_with_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = tmp_path / "crypto-blue/kubepods/burstable/pod1234"
    pod.mkdir(parents=True)
    (pod / "cpuacct.usage").write_text("3999999999\n")
    mounted(tmp_path, "cgroup", monkeypatch)
    assert cgroups.cpu_seconds("crypto-blue/kubepods", "pod1234") == 3
    assert cgroups.cpu_seconds("crypto-blue/kubepods", "pod5678") is None


def test_the_processor_time_of_a_pod_is_read_with_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = tmp_path / "crypto-blue/kubepods/pod1234"
    pod.mkdir(parents=True)
    (pod / "cpu.stat").write_text("usage_usec 2000001\nuser_usec 5\n")
    mounted(tmp_path, "cgroup2", monkeypatch)
    assert cgroups.cpu_seconds("crypto-blue/kubepods", "pod1234") == 2


@pytest.mark.parametrize(
    ("file", "tenfold", "normal"), [("cpu.shares", "10240", "1024"), ("cpu.weight", "1000", "100")]
)
def test_a_cluster_that_starts_comes_before_what_compiles_beside_it(
    file: str, tenfold: str, normal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "crypto-blue"
    group.mkdir()
    (group / file).touch()
    mounted(tmp_path, "cgroup", monkeypatch)
    cgroups.set_weight("crypto-blue", priority.START_WEIGHT)
    assert (group / file).read_text() == tenfold
    lifecycle.settle(Instance("blue", 5, tmp_path, tmp_path))
    assert (group / file).read_text() == normal
    assert [path.name for path in group.iterdir()] == [file]
