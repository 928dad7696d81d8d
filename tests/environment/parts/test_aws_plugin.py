"""The genuine plugin wins; the stand-in is installed only where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.aws.plugin import install_plugin, plugin_in_use, sdk_version

_GENUINE = b"\x7fELF genuine"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "user"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def _genuine(pulumi_home: Path) -> Path:
    path = pulumi_home / "plugins" / f"resource-aws-v{sdk_version()}" / "pulumi-resource-aws"
    path.parent.mkdir(parents=True)
    path.write_bytes(_GENUINE)
    return path


def test_the_stand_in_is_installed_under_the_version_of_the_sdk(tmp_path: Path) -> None:
    path = install_plugin(tmp_path / "pulumi", Path(sys.executable))
    assert path == tmp_path / "pulumi" / "plugins" / f"resource-aws-v{sdk_version()}" / "pulumi-resource-aws"
    plugin = plugin_in_use(tmp_path / "pulumi")
    assert plugin is not None
    assert not plugin.genuine
    # Without the engine's address the process explains itself instead of waiting for a connection.
    result = subprocess.run([str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "the Pulumi engine starts it" in result.stderr


def test_installing_twice_changes_nothing_and_another_interpreter_is_taken_over(tmp_path: Path) -> None:
    path = install_plugin(tmp_path, Path("/usr/bin/python3"))
    written = path.stat().st_mtime_ns
    assert install_plugin(tmp_path, Path("/usr/bin/python3")).stat().st_mtime_ns == written
    install_plugin(tmp_path, Path("/opt/a folder/python"))
    assert "'/opt/a folder/python'" in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["pulumi-resource-aws"]


def test_a_genuine_plugin_is_never_overwritten(tmp_path: Path) -> None:
    genuine = _genuine(tmp_path)
    assert install_plugin(tmp_path, Path(sys.executable)) == genuine
    assert genuine.read_bytes() == _GENUINE
    plugin = plugin_in_use(tmp_path)
    assert plugin is not None
    assert plugin.genuine


@pytest.mark.parametrize("stand_in_first", [False, True])
def test_a_genuine_plugin_of_the_user_is_used(tmp_path: Path, own_home: Path, stand_in_first: bool) -> None:
    if stand_in_first:
        install_plugin(tmp_path / "pulumi", Path(sys.executable))
    genuine = _genuine(own_home / ".pulumi")
    path = install_plugin(tmp_path / "pulumi", Path(sys.executable))
    assert path.read_bytes() == _GENUINE
    plugin = plugin_in_use(tmp_path / "pulumi")
    assert plugin is not None
    assert plugin.genuine
    assert genuine.read_bytes() == _GENUINE
    assert install_plugin(tmp_path / "pulumi", Path(sys.executable)) == path


def test_where_nothing_is_installed_that_is_said(tmp_path: Path) -> None:
    assert plugin_in_use(tmp_path) is None
