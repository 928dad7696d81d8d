"""The Pulumi program: settings, components, outputs."""

from __future__ import annotations

import asyncio
import gc
from importlib import import_module

# The process declares its resources and ends. Everything that it makes lives to its end, so that looking for garbage
# among it finds nothing, and takes the longer the more is imported and declared.
gc.disable()

import pulumi

from components import providers, sdk, sdk_wait, stack_config
from runbook.settings import SettingsError

sdk.prepare()

try:
    settings = stack_config.read(pulumi.Config())
except SettingsError as error:
    # RunError is shown without a traceback: a wrong setting is the user's to mend, not a defect of the program.
    raise pulumi.RunError(f"stack {pulumi.get_stack()}: {error}") from None


async def main() -> pulumi.Inputs:
    """Declares the stack; returns its outputs."""
    chosen = providers.declare(settings)
    # The providers' processes start while all that it takes to declare the rest is imported.
    await asyncio.to_thread(import_module, "components.system")
    from components import system

    declared = await sdk_wait.beside(system.declaring(settings, chosen))
    await sdk_wait.for_declared()
    # Python looks for garbage once more when it ends, whatever it was told; for what is frozen it does not.
    gc.freeze()
    return declared.outputs()


pulumi.run(main)
