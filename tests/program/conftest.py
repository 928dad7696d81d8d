"""The resources of both stacks, registered once."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from collections.abc import Iterator

import pytest
from pulumi import _types, log
from pulumi.runtime import resource, rpc

from components import sdk, system
from tests.program import engine, settings

_CHANGED = (
    (log, "debug"),
    (rpc, "transfer_properties"),
    (rpc, "resolve_outputs"),
    (resource, "_get_stack_trace"),
    (_types, "_types_from_py_properties"),
)


@pytest.fixture(scope="package", autouse=True)
def _sdk() -> Iterator[None]:
    """The SDK as the program uses it: whatever the settings, it reads nothing that is not answered."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in _CHANGED:
            patch.setattr(module, name, getattr(module, name))
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
