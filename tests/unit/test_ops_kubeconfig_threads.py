"""A kubeconfig is loaded by many threads at once, as the health check's."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import yaml

from scripts.clients.kubeconfig import configuration
from tests.services import sinks

_THREADS = 16


@pytest.fixture
def _many_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_many_switches")
def test_each_thread_finds_the_authority_whole_in_the_file_that_the_client_shares(tmp_path: Path) -> None:
    authority = sinks.certificate(tmp_path).read_text()
    barrier = Barrier(_THREADS)

    def load(path: Path) -> str:
        barrier.wait(30)
        return Path(configuration(path).ssl_ca_cert or "").read_text()

    with ThreadPoolExecutor(_THREADS) as pool:
        for number in range(20):
            # The client writes a file for each content once.
            content = f"{authority}# {number}\n"
            data = base64.b64encode(content.encode()).decode()
            cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": data}
            document = {
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
            path = tmp_path / f"kubeconfig-{number}"
            path.write_text(yaml.safe_dump(document))
            assert set(pool.map(load, [path] * _THREADS)) == {content}
