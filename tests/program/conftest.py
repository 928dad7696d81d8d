"""The resources of both stacks, registered once."""

from __future__ import annotations

import pytest

from runbook import settings
from tests.program import engine
from tests.program.settings import stack_values


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
    return engine.registered(chosen, "closed")
