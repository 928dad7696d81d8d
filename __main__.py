"""The Pulumi program: settings, providers, components, exports."""

from __future__ import annotations

import pulumi

from components import providers, stack_config, system
from runbook.settings import SettingsError

try:
    settings = stack_config.read(pulumi.Config())
except SettingsError as error:
    # RunError is shown without a traceback: a wrong setting is the user's to mend, not a defect of the program.
    raise pulumi.RunError(f"stack {pulumi.get_stack()}: {error}") from None

declared = system.declare(settings, providers.declare(settings))

for name, value in declared.outputs().items():
    pulumi.export(name, value)
