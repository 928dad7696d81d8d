"""What the shell offers behind a command when Tab is pressed."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook import services as known


def services(incomplete: str) -> list[str]:
    """The runbook's services that begin with what was typed."""
    return [spec.name for spec in known.ALL if spec.name.startswith(incomplete)]


Service = Annotated[
    str, typer.Argument(help="The service, e.g. analytics.", metavar="SERVICE", autocompletion=services)
]
