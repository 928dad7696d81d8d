"""A real Prometheus that scrapes a metrics page of the test's."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.running.slots import free_port
from tests.services.servers import accepts
from tests.waiting import wait_until

PROGRAM = shutil.which("prometheus")


@contextmanager
def prometheus(targets: Mapping[str, tuple[str, Mapping[str, str]]]) -> Generator[str]:
    """Prometheus, scraping each job's address with these labels several times a second; its own address."""
    assert PROGRAM is not None, "prometheus is not installed (apt-get install prometheus)"
    folder, port = Path(tempfile.mkdtemp(prefix="crypto-test-")), free_port()
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [address], "labels": dict(labels)}]}
        for name, (address, labels) in targets.items()
    ]
    config = {"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, *arguments, f"--web.listen-address=127.0.0.1:{port}"], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: accepts(port) or process.poll() is not None, "Prometheus listens")
        assert process.poll() is None, (folder / "server.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
