"""Commands of ``ops`` in this process, on a fake of the Kubernetes API and settings of the test's own."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runbook import jobs
from scripts import cli
from scripts.workloads import rollout, serving
from tests.services.kube_api import NAMESPACE, KubeApi
from tests.services.ops_environment import USERS, Answer
from tests.services.ops_process import OpsProcess
from tests.services.quiet_http import QuietServer


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

    def start(self, *arguments: str) -> OpsProcess:
        """Start a command in a process of its own, which can be killed."""
        return OpsProcess(arguments, os.environ)

    def hurry(self) -> None:
        """Ask often and give up soon."""
        self.patch.setattr(rollout, "_POLL_SECONDS", 0.01)
        self.patch.setattr(serving, "_POLL_SECONDS", 0.01)
        self.patch.setattr(serving, "_SETTLE_SECONDS", 0.2)

    def as_job(self, name: str) -> None:
        """From now on allow what the CronJob ``name`` may do, and no more."""
        job = jobs.BY_NAME[name]
        secret = jobs.Right(("secrets",), ("get", "patch"), names=("jwt-secret",))
        self.api.rights = [*job.rights, *([secret] if jobs.Need.JWT_SECRET in job.needs else [])]


@dataclass
class Page:
    """A health page: the answers that it gives first, then ``code``."""

    url: str = ""
    code: int = 200
    first: list[int] = field(default_factory=list[int])
    asked: int = 0


@contextmanager
def health_page() -> Generator[Page]:
    """A running ``Page``."""
    state = Page()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            self.send_response(state.first.pop(0) if state.first else state.code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing: the test's output is not the place."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/health"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


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
        postgres={"host": "h", "port": 1, "database": "d", **dict.fromkeys(USERS, login)},
        redis={"host": "h", "port": 1},
        kafka={"bootstrap": "h:1", "brokers": 1, "topic": "t", "group": "g"},
        services=[],
        backup={"bucket": "backups", "prefix": "crypto-analytics/", "region": "eu-central-1", "retentionDays": 30},
    )
    return runs
