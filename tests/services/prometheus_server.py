"""A real Prometheus that scrapes a metrics page of the test's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from tests.running.owned import owned_folder
from tests.running.slots import free_port
from tests.services.servers import listening

PROGRAM = shutil.which("prometheus")


@contextmanager
def prometheus(targets: Mapping[str, tuple[str, Mapping[str, str]]]) -> Generator[str]:
    """Prometheus, scraping each job's address with these labels each second; its own address."""
    assert PROGRAM is not None, "prometheus is not installed (apt-get install prometheus)"
    port = free_port()
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [address], "labels": dict(labels)}]}
        for name, (address, labels) in targets.items()
    ]
    # A scrape that takes longer makes its series stale: on a busy machine 200 ms are too short.
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
    with owned_folder() as folder:
        (folder / "prometheus.yml").write_text(json.dumps(config))
        arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with listening([PROGRAM, *arguments, f"--web.listen-address=127.0.0.1:{port}"], port, folder):
            yield f"http://127.0.0.1:{port}"
