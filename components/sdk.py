"""How the program uses Pulumi's SDK: with less work than the SDK does by itself, and the same result."""

from __future__ import annotations

from components import sdk_log, sdk_outputs, sdk_stack, sdk_types


def prepare() -> None:
    """Set the SDK of this process up; before anything is declared."""
    sdk_log.quieten()
    sdk_outputs.lighten()
    sdk_stack.shorten()
    sdk_types.remember()
