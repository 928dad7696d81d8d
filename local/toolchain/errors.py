"""What can go wrong with the toolchain, as one line that says what to do."""

from __future__ import annotations

from local.errors import LocalError


class ToolchainError(LocalError):
    """A tool that cannot be had; the message is one line."""
