"""The resources of both stacks, registered once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components import sdk
from tests.program import engine


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
