"""The resources of both stacks, registered once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components import sdk, system
from runbook import settings
from tests.program import engine
from tests.program.settings import stack_values


@pytest.fixture(scope="package", autouse=True)
def _sdk() -> Iterator[None]:
    """The SDK as the program uses it: whatever the settings, it reads nothing that is not answered."""
    with sdk.put_back():
        sdk.prepare()
        yield


@pytest.fixture(scope="session")
def local_stack() -> list[engine.Registered]:
    return engine.declared("local")


@pytest.fixture(scope="session")
def prod_stack() -> list[engine.Registered]:
    return engine.declared("prod")


@pytest.fixture(params=["local", "prod"])
def stack(request: pytest.FixtureRequest) -> list[engine.Registered]:
    return request.getfixturevalue(f"{request.param}_stack")


@pytest.fixture(scope="session")
def closed_stack() -> list[engine.Registered]:
    """Production in maintenance."""
    chosen = settings.load({**stack_values("prod"), "maintenance": True})
    return engine.run(lambda: system.declare(chosen), stack_name="closed")
