"""The program under Pulumi's mocks, as ``local.recording`` runs it, and configuration as the engine passes it."""

from __future__ import annotations

import json
from typing import Any

import pulumi

from local.recording import Registered, run

__all__ = ["Registered", "config", "run"]


def config(**values: Any) -> pulumi.Config:
    """A stack's configuration; objects as JSON, as the engine passes them."""
    pulumi.runtime.set_all_config(
        {f"crypto:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    )
    return pulumi.Config("crypto")
