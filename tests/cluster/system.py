"""The whole system on a cluster of its own, brought up once for all tests that look at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import Instance
from tests.cluster.environment import Environment, variables
from tests.environment.cluster.host_state import HostState, look
from tests.running.guard import guarded
from tests.running.slots import cluster_slot


@pytest.fixture(scope="session")
def machine_before(environment_variables: dict[str, str]) -> HostState:
    return look(Instance.from_environment(environment_variables))


@pytest.fixture(scope="session")
def environment_variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    # The path goes into unix sockets, whose names have at most 108 characters.
    return variables(tmp_path_factory.mktemp("s"), f"test-{os.getpid()}", cluster_slot(0))


@pytest.fixture(scope="session")
def system(
    environment_variables: dict[str, str],
    machine_before: HostState,  # noqa: ARG001 (looked at before anything starts)
    tools_bin_dir: Path,  # noqa: ARG001 (built before the clock of `up` runs)
) -> Iterator[Environment]:
    environment = Environment(Instance.from_environment(environment_variables), environment_variables)
    with guarded(environment_variables):
        try:
            answer = environment.local("up", timeout=1800)
            assert answer.code == 0, answer.output
            environment.load_shell()
            yield environment
        finally:
            environment.local("clean")
