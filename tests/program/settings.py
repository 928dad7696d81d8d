"""Settings of the two stacks, as the program reads them, without an engine."""

from __future__ import annotations

from components import stack_config
from local.pulumi_cli import PROJECT_ROOT as ROOT
from local.stack_files import EXAMPLE_ENVIRONMENT as LOCAL_ENVIRONMENT
from local.stack_files import stack_values
from runbook import settings

__all__ = ["LOCAL_ENVIRONMENT", "ROOT", "load", "stack_values"]


def load(stack: str, **environment: object) -> settings.Settings:
    """A stack's settings; ``environment`` changes what an embedded stack's environment says of itself."""
    values = stack_values(stack)
    if values.pop("embedded", False):
        values = stack_config.with_environment(values, LOCAL_ENVIRONMENT.model_copy(update=environment))
    return settings.load(values)
