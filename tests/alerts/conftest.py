"""The files that Prometheus and Alertmanager would read, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring.alertmanager_file import plain
from components.monitoring.prometheus_rule import scope
from runbook import alerts
from runbook.alerting.rendering import rule_groups
from tests.alerts.tools import for_debians_amtool
from tests.program.settings import load


def _write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By stack, the rule file: the very structure that its PrometheusRule has as spec."""
    folder = tmp_path_factory.mktemp("rules")
    return {
        stack: _write(folder / f"{stack}.yaml", rule_groups(alerts.GROUPS, scope(load(stack))))
        for stack in ("local", "prod")
    }


@pytest.fixture(scope="session")
def configs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By stack, Alertmanager's configuration as the operator would make it of the stack's AlertmanagerConfig."""
    folder = tmp_path_factory.mktemp("configs")
    settings = {stack: load(stack) for stack in ("local", "prod")}
    return {
        stack: _write(folder / f"{stack}.yaml", for_debians_amtool(plain(chosen.alerting, chosen.namespace)))
        for stack, chosen in settings.items()
    }
