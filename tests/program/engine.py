"""The program under Pulumi's mocks, as ``local.recording`` runs it, and configuration as the engine passes it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pulumi

from components import providers, system
from local.recording import Registered, run
from runbook.settings import Settings
from tests.program import settings

__all__ = ["Registered", "config", "declared", "registered", "run"]


@cache
def declared(stack: str) -> list[Registered]:
    """The resources of a stack of this project, registered once."""
    return registered(settings.load(stack), stack)


def registered(chosen: Settings, stack: str) -> list[Registered]:
    """The resources of the program with these settings, under a name of a stack."""
    return run(lambda: system.declare(chosen, providers.declare(chosen)), stack_name=stack)


def config(**values: Any) -> pulumi.Config:
    """A stack's configuration; objects as JSON, as the engine passes them."""
    pulumi.runtime.set_all_config(
        {f"crypto:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    )
    return pulumi.Config("crypto")
