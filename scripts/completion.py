"""What the shell offers behind a command when Tab is pressed."""

from __future__ import annotations


def services(incomplete: str) -> list[str]:
    """The runbook's services that begin with what was typed."""
    from runbook import services as known

    return [spec.name for spec in known.ALL if spec.name.startswith(incomplete)]
