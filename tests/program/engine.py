"""The program under Pulumi's mocks, as ``local.recording`` runs it, and configuration as the engine passes it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pulumi

from components import sdk, system
from local.recording import Registered, run
from tests.program import settings

__all__ = ["Registered", "config", "declared", "run"]


@cache
def declared(stack: str) -> list[Registered]:
    """The resources of a stack of this project, registered once with the SDK as the program uses it."""
    chosen = settings.load(stack)
    with sdk.put_back():
        sdk.prepare()
        return run(lambda: system.declare(chosen), stack_name=stack)


def config(**values: Any) -> pulumi.Config:
    """A stack's configuration; objects as JSON, as the engine passes them."""
    pulumi.runtime.set_all_config(
        {f"crypto:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    )
    return pulumi.Config("crypto")
