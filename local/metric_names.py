"""`make metric-names`: the metrics that a running environment has, with their labels, as tests/alerts/metrics.txt.

One line a metric and job, as Prometheus keeps it: `job metric{label,label}`. Rules, dashboards and checks may name what
is here and nothing else. Some metrics exist only while something is wrong: record during `ops incident simulate`.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Final

from local.errors import LocalError
from local.paths import Instance
from local.platform.names import PROMETHEUS_PORT, prometheus_address
from local.pulumi_cli import PROJECT_ROOT

FILE: Final = PROJECT_ROOT / "tests" / "alerts" / "metrics.txt"
_HEAD: Final = "# Recorded from the embedded environment by `make metric-names`, during `ops incident simulate`.\n"
_SINCE_SECONDS: Final = 900
# What Prometheus adds itself, and what rules have made.
_OWN: Final = ("ALERTS", "scrape_")


def record(instance: Instance) -> int:
    """Writes the file anew; how many lines it has.

    Raises:
        LocalError: Prometheus does not answer.
    """
    lines = sorted(condensed(_series(instance)))
    FILE.write_text(_HEAD + "".join(f"{line}\n" for line in lines))
    return len(lines)


def condensed(series: Iterable[Mapping[str, str]]) -> set[str]:
    """Each job's metrics with all labels that any series of it has."""
    found: dict[tuple[str, str], set[str]] = {}
    for labels in series:
        name = labels["__name__"]
        if "job" in labels and ":" not in name and not name.startswith(_OWN):
            found.setdefault((labels["job"], name), set()).update(labels.keys() - {"__name__"})
    return {f"{job} {name}{{{','.join(sorted(labels))}}}" for (job, name), labels in found.items()}


def _series(instance: Instance) -> list[dict[str, str]]:
    query = urllib.parse.urlencode({"match[]": '{__name__!=""}', "start": time.time() - _SINCE_SECONDS})
    url = f"http://{prometheus_address(instance)}:{PROMETHEUS_PORT}/api/v1/series?{query}"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as answer:
            return json.load(answer)["data"]
    except OSError as error:
        raise LocalError(
            f"Prometheus at {url.partition('?')[0]}: {error}; start the environment with: make up"
        ) from None
