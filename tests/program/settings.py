"""Settings of the two stacks, as the program reads them, without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml

from components import stack_config
from runbook import services, settings
from runbook.environment import EnvironmentFile

ROOT = Path(__file__).resolve().parents[2]
LOCAL_ENVIRONMENT = EnvironmentFile(
    images={
        name: f"localhost/crypto/{name}:0123456789ab"
        for name in (*(name for name in settings.IMAGE_NAMES if name not in services.BY_NAME), "sample-service")
    },
    kube_context="crypto",
    aws_endpoint="http://10.231.0.2:4566",
)


def stack_values(stack: str) -> dict[str, Any]:
    """What a stack's file says under ``crypto:``."""
    document = cast("dict[str, Any]", yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text()))
    values = {key.removeprefix("crypto:"): value for key, value in document["config"].items()}
    assert values, f"Pulumi.{stack}.yaml sets nothing"
    return values


def load(stack: str) -> settings.Settings:
    """A stack's settings."""
    values = stack_values(stack)
    if values.pop("embedded", False):
        values = stack_config.with_environment(values, LOCAL_ENVIRONMENT)
    return settings.load(values)
