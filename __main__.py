"""The Pulumi program: settings, components, outputs."""

from __future__ import annotations

import pulumi

from components import stack_config, system
from runbook.settings import SettingsError

try:
    settings = stack_config.read(pulumi.Config())
except SettingsError as error:
    # RunError is shown without a traceback: a wrong setting is the user's to mend, not a defect of the program.
    raise pulumi.RunError(f"stack {pulumi.get_stack()}: {error}") from None

for name, value in system.declare(settings).outputs().items():
    pulumi.export(name, value)
