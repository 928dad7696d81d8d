"""The error that the environment's own commands show: one line that says what to do."""

from __future__ import annotations


class LocalError(RuntimeError):
    """Something that the user can act on."""
