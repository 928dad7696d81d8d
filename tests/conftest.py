"""What tests of every folder share: the toolchain."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import toolchain


@pytest.fixture(scope="session")
def tools_bin_dir() -> Path:
    """The folder with pulumi, kubectl, kube-apiserver and the rest; built where they are not in the cache yet."""
    with toolchain.start() as building:
        building.wait()
    return toolchain.bin_dir()


@pytest.fixture(scope="session")
def pulumi_cli(tools_bin_dir: Path) -> Path:
    """The pulumi command; its language host stands beside it."""
    return tools_bin_dir / "pulumi"
