"""The Pulumi program: settings, components, outputs."""

from __future__ import annotations

import gc

import pulumi

from components import sdk_log, sdk_outputs, sdk_wait, stack_config, system
from runbook.settings import SettingsError

# The process declares its resources and ends. Everything that it makes lives to its end, so that looking for garbage
# among it finds nothing, and takes the longer the more is declared.
gc.disable()
sdk_log.quieten()
sdk_outputs.lighten()

try:
    settings = stack_config.read(pulumi.Config())
except SettingsError as error:
    # RunError is shown without a traceback: a wrong setting is the user's to mend, not a defect of the program.
    raise pulumi.RunError(f"stack {pulumi.get_stack()}: {error}") from None


async def main() -> pulumi.Inputs:
    """Declares the stack; returns its outputs."""
    declared = await sdk_wait.beside(system.declaring(settings))
    await sdk_wait.for_declared()
    return declared.outputs()


pulumi.run(main)
