"""What tests of every folder share: the toolchain, and the running system."""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from local import toolchain
from local.paths import Instance
from local.proxies import without_proxy
from tests.cluster.system import environment_variables, machine_before, system
from tests.running.slots import cluster_slots

__all__ = ["environment_variables", "machine_before", "system"]

pytest_plugins = ("tests.running.spreading", "tests.running.figures")

# Tests have an environment of their own: none may reach the cluster, the account or the stack of their caller, or go to
# its proxy for a server of their own.
for _name in [
    name for name in os.environ if name.startswith(("CRYPTO_", "PULUMI_", "AWS_", "OPS_", "KUBECONFIG", "PG"))
]:
    del os.environ[_name]
os.environ.update(without_proxy(*(Instance("tests", slot, Path(), Path()) for slot in cluster_slots())))

# How long an example takes says how busy the machine is.
settings.register_profile("tests", parent=settings(), deadline=None)
settings.register_profile("oracles", parent=settings.get_profile("tests"), max_examples=4_000)
settings.load_profile("tests")


@cache
def _tools() -> Path:
    with toolchain.start() as building:
        building.wait()
    return toolchain.bin_dir()


@pytest.fixture(scope="session")
def tools_bin_dir() -> Path:
    """The folder with pulumi, kubectl, kube-apiserver and the rest; built where they are not in the cache yet."""
    return _tools()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Compilers may take half an hour: a test waits for them before its own time begins to count."""
    if "tools_bin_dir" in getattr(item, "fixturenames", ()):
        _tools()
    return (yield)


@pytest.fixture(scope="session")
def pulumi_cli(tools_bin_dir: Path) -> Path:
    """The pulumi command; its language host stands beside it."""
    return tools_bin_dir / "pulumi"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI nothing is left out: a skipped test there is a machine that lacks something."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter is not None and "skipped" in reporter.stats
    if os.environ.get("CI") == "true" and skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The last lines name what was left out; the reasons stand in pytest's own summary above."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") == "true" and skipped:
        terminalreporter.write_line(f"CI=true and {len(skipped)} tests were skipped: that is a failure", red=True)
