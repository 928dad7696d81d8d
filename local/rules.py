"""`make rules`: a stack's rules and routes as the files that Prometheus and Alertmanager read without an operator."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from components.monitoring.alertmanager_file import plain
from components.monitoring.prometheus_rule import scope
from components.stack_config import with_environment
from local.pulumi_cli import PROJECT_ROOT
from local.stack_files import EXAMPLE_ENVIRONMENT, stack_values
from runbook import alerts, settings
from runbook.alerting.rendering import rule_groups

FOLDER: Final = PROJECT_ROOT / "build" / "alerts"
_HEAD: Final = "# Made by `make rules STACK={stack}`; do not edit it. It is what the cluster gets, as a file.\n"


def write(stack: str, folder: Path = FOLDER) -> list[Path]:
    """Writes ``rules.yaml`` and ``alertmanager.yaml``."""
    given = stack_values(stack)
    if given.pop("embedded", False):
        given = with_environment(given, EXAMPLE_ENVIRONMENT)
    chosen = settings.load(given)
    contents = {
        "rules.yaml": rule_groups(alerts.GROUPS, scope(chosen)),
        "alertmanager.yaml": plain(chosen.alerting, chosen.namespace),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, content in contents.items():
        path = folder / name
        path.write_text(_HEAD.format(stack=stack) + yaml.safe_dump(content, sort_keys=False, width=120))
        written.append(path)
    return written
