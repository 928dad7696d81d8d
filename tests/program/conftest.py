"""The resources of both stacks, registered once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components import sdk, system
from tests.program import engine, settings


@pytest.fixture(scope="package", autouse=True)
def _sdk() -> Iterator[None]:
    """The SDK as the program uses it: whatever the settings, it reads nothing that is not answered."""
    with sdk.put_back():
        sdk.prepare()
        yield


@pytest.fixture(scope="session")
def local_stack() -> list[engine.Registered]:
    chosen = settings.load("local")
    return engine.run(lambda: system.declare(chosen), stack_name="local")


@pytest.fixture(scope="session")
def prod_stack() -> list[engine.Registered]:
    chosen = settings.load("prod")
    return engine.run(lambda: system.declare(chosen), stack_name="prod")


@pytest.fixture(params=["local", "prod"])
def stack(request: pytest.FixtureRequest) -> list[engine.Registered]:
    return request.getfixturevalue(f"{request.param}_stack")
