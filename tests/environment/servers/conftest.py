"""The AWS endpoint of the embedded environment as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.running.owned import owned
from tests.running.slots import free_port
from tests.waiting import wait_until

_STARTED_WITHIN_SECONDS = 30


@dataclass
class AwsEndpoint:
    """A server process on a port of its own, which can be stopped, killed and started again on the same state."""

    state: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.state.parent / "server.log").read_text()

    def start(self) -> None:
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--state", str(self.state)]
        with (self.state.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                owned([sys.executable, "-m", "local.aws.server", *arguments]), stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self._answers, "the endpoint answers", _STARTED_WITHIN_SECONDS)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=10)

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,  # pyright: ignore[reportArgumentType]
            endpoint_url=self.url,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture
def aws_endpoint(tmp_path: Path) -> Iterator[AwsEndpoint]:
    """A running AWS endpoint with empty state."""
    endpoint = AwsEndpoint(tmp_path / "aws-state", free_port())
    endpoint.start()
    yield endpoint
    if endpoint.process is not None and endpoint.process.poll() is None:
        endpoint.kill()
