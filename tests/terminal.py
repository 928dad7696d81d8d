"""A terminal for tests; with ``TERM=dumb`` it has 80 columns and no colours."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    """Keeps what was written to it."""

    def isatty(self) -> bool:
        """It says so."""
        return True
