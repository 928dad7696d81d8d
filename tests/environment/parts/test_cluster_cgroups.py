"""What the cgroups of pods tell, with either version of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cluster import cgroups
from local.cluster.linux import Mount


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
