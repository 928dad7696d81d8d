"""The generated pages of docs/: each is printed from the data that the program itself uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from local import runbook_page
from local.pulumi_cli import PROJECT_ROOT
from local.stack_files import stack_values
from policies import page as policies_page
from runbook import database_page, network_page, printed, redis_page, settings
from runbook.sections import RUNBOOK_PAGE

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    RUNBOOK_PAGE: printed.markdown,
    runbook_page.PAGE: runbook_page.page,
    "docs/policies.md": policies_page.markdown,
    database_page.PAGE: database_page.markdown,
    redis_page.PAGE: redis_page.markdown,
    "docs/network.md": lambda: network_page.markdown(settings.load(stack_values("prod"))),
}


def write(root: Path = PROJECT_ROOT) -> list[Path]:
    """Writes every page, and returns those that changed."""
    changed: list[Path] = []
    for name, text in PAGES.items():
        path, content = root / name, text()
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            changed.append(path)
    return changed
