"""Commands of ``ops`` in this process, on a fake of the Kubernetes API and settings of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runbook import jobs
from scripts import cli
from tests.services.kube_api import NAMESPACE, KubeApi
from tests.services.ops_environment import Answer


@dataclass
class Runs:
    """``api`` is what the commands see; ``settings`` what they read."""

    api: KubeApi
    folder: Path
    patch: pytest.MonkeyPatch
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    def configure(self, **changes: Any) -> None:
        """Write the settings file, with whole sections replaced."""
        self.settings |= changes
        (self.folder / "config.json").write_text(json.dumps(self.settings))

    def ops(self, *arguments: str) -> Answer:
        """Run a command to its end."""
        result = CliRunner().invoke(cli.app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr
        return Answer(result.exit_code, result.stdout, result.stderr)

    def as_job(self, name: str) -> None:
        """From now on allow what the CronJob ``name`` may do, and no more."""
        job = jobs.BY_NAME[name]
        secret = jobs.Right(("secrets",), ("get", "patch"), names=("jwt-secret",))
        self.api.rights = [*job.rights, *([secret] if jobs.Need.JWT_SECRET in job.needs else [])]


def prepared(api: KubeApi, folder: Path, patch: pytest.MonkeyPatch) -> Runs:
    """Commands that find ``api`` by a kubeconfig and their settings by the environment."""
    patch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    patch.setenv("KUBECONFIG", str(api.kubeconfig(folder)))
    patch.setenv("OPS_CONFIG", str(folder / "config.json"))
    patch.setenv("OPS_TERMINATION_LOG", str(folder / "termination-log"))
    patch.setenv("COLUMNS", "200")
    login = {"user": "x", "passwordFile": str(folder / "none")}
    runs = Runs(api, folder, patch)
    runs.configure(
        namespace=NAMESPACE,
        timeZone="UTC",
        postgres={"host": "h", "port": 1, "database": "d", "backup": login, "owner": login, "superuser": login},
        redis={"host": "h", "port": 1},
        kafka={"bootstrap": "h:1", "brokers": 1, "topic": "t", "group": "g"},
        services=[],
        backup={"bucket": "backups", "prefix": "crypto-analytics/", "region": "eu-central-1", "retentionDays": 30},
    )
    return runs
