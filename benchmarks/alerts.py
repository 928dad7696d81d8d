"""What the rules and the dashboards cost a Prometheus: `python -m benchmarks.alerts [--services 1000] [--hours 24]`.

promtool evaluates all rules over synthetic series of so many services and hours, a sample a minute, once with few
evaluations and once with more: the difference is what an evaluation costs, without loading. promtool lets no query load
more than 10,000 samples, so that services are taken a few at a time and their costs added. Then, how many series each
rule and each panel reads, and what all panels cost that are drawn at one moment.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from local.sample_service.metrics import LATENCY_BUCKETS
from runbook import alerts, dashboards
from runbook.alerting.model import Recording
from runbook.alerting.rendering import Scope, rule_groups
from tests.unit import promql

_SCOPE = Scope("crypto", "https://git.example.com")
_FEW, _MORE = 1, 97
_SHOWN = 8
_AT_A_TIME = 60


@dataclass(frozen=True, slots=True)
class Series:
    """A synthetic series, which grows by ``step`` each minute."""

    name: str
    labels: Mapping[str, str]
    step: float

    @property
    def selector(self) -> str:
        """The series in PromQL."""
        pairs = ", ".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.name}{{{pairs}}}"


def series(services: int) -> Iterator[Series]:
    """What each of the services exports that rules read; the first ones have the names of the runbook's."""
    names = ["api-gateway", "user-service", "market-data-service", "analytics", "sentiment"]
    names = [*names, *(f"service-{i}" for i in range(services))][:services]
    for name in names:
        pod = {"namespace": "crypto", "pod": f"{name}-0"}
        page = {**pod, "job": name, "handler": "/api"}
        yield Series("up", {**pod, "job": name, "instance": f"{name}:1"}, 0)
        yield Series("http_requests_total", {**page, "status": "200"}, 600)
        yield Series("http_requests_total", {**page, "status": "500"}, 1)
        for edge in (*map("{:g}".format, LATENCY_BUCKETS), "+Inf"):
            yield Series("http_request_duration_seconds_bucket", {**page, "le": edge}, 600)
        yield Series("container_memory_working_set_bytes", {**pod, "container": name, "image": "i"}, 1000)
        yield Series("kube_deployment_spec_replicas", {"namespace": "crypto", "deployment": name}, 0)
        yield Series("kube_deployment_status_replicas_available", {"namespace": "crypto", "deployment": name}, 0)


def touched(query: str, known: Sequence[Series]) -> int:
    """How many of the series a query reads."""
    selectors = [
        node for node in promql.nodes(promql_parser.parse(query)) if isinstance(node, promql_parser.VectorSelector)
    ]
    return sum(_matches(selector, item) for selector in selectors for item in known)


def _matches(selector: promql_parser.VectorSelector, item: Series) -> bool:
    if selector.name != item.name:
        return False
    return all(_fits(matcher, item.labels.get(matcher.name, "")) for matcher in selector.matchers.matchers)


def _fits(matcher: Any, value: str) -> bool:
    match str(matcher.op):
        case "MatchOp.Equal":
            return value == matcher.value
        case "MatchOp.NotEqual":
            return value != matcher.value
        case "MatchOp.Re":
            return re.fullmatch(matcher.value, value) is not None
        case _:
            return re.fullmatch(matcher.value, value) is None


def recorded(known: Iterable[Series]) -> list[Series]:
    """The series that our own rules make of them, one a job."""
    jobs = sorted({item.labels["job"] for item in known if "job" in item.labels})
    rules = [rule for group in alerts.GROUPS for rule in group.rules if isinstance(rule, Recording)]
    return [
        Series(rule.name, {"namespace": "crypto", "job": job}, 0)
        for rule in rules
        if rule.name.startswith("job:")
        for job in jobs
    ]


def _seconds(folder: Path, known: Sequence[Series], hours: int, evaluations: int, queries: Sequence[str] = ()) -> float:
    """CPU seconds of promtool for so many evaluations of all rules, and these queries at the end."""
    minutes = hours * 60
    end = f"{minutes}m"
    asked = [
        {"expr": f"count({query}) * 0 or vector(0)", "eval_time": end, "exp_samples": [_ZERO]} for query in queries
    ]
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{minutes * 60 // evaluations}s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": item.selector, "values": f"1+{item.step:g}x{minutes}"} for item in known],
                "promql_expr_test": [{"expr": "vector(0)", "eval_time": end, "exp_samples": [_ZERO]}, *asked],
            }
        ],
    }
    (folder / "tests.yaml").write_text(yaml.dump(document, Dumper=yaml.CSafeDumper))
    process = subprocess.Popen(["promtool", "test", "rules", "tests.yaml"], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"promtool ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


_ZERO = {"labels": "{}", "value": 0}


def _parts(known: Sequence[Series]) -> list[list[Series]]:
    """The series of a few services at a time; those of one service stay together."""
    size = _AT_A_TIME * len(list(series(1)))
    return [list(known[start : start + size]) for start in range(0, len(known), size)]


def panels() -> dict[str, str]:
    """The queries of the dashboards."""
    return {
        f"{dashboard.title}: {panel.title}": _SCOPE.query(panel.query, panel.window_seconds)
        for dashboard in dashboards.ALL
        for panel in dashboard.panels
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=24)
    options = parser.parse_args()
    known = list(series(options.services))
    groups = rule_groups(alerts.GROUPS, _SCOPE)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text(yaml.safe_dump(groups))
        few = more = drawn = 0.0
        for part in _parts(known):
            few += _seconds(folder, part, options.hours, _FEW)
            more += _seconds(folder, part, options.hours, _MORE)
            drawn += _seconds(folder, part, options.hours, _FEW, list(panels().values()))
    rules = {rule.get("alert") or rule["record"]: rule["expr"] for group in groups["groups"] for rule in group["rules"]}
    print(f"{options.services} services, {len(known)} series, {options.hours} h, load {os.getloadavg()[0]:.1f}")
    print(f"one evaluation of all {len(rules)} rules: {(more - few) / (_MORE - _FEW):.2f} CPU s")
    print(f"all {len(panels())} panels at one moment: {max(drawn - few, 0):.2f} CPU s")
    print(f"the measurement took {time.monotonic() - began:.0f} s\n")
    everything = [*known, *recorded(known)]
    _table("rule", rules, everything)
    _table("panel", panels(), everything)


def _table(kind: str, queries: Mapping[str, str], known: Sequence[Series]) -> None:
    counts = sorted(((touched(query, known), name) for name, query in queries.items()), reverse=True)
    print(f"series that a {kind} reads, the most first; all together {sum(count for count, _ in counts)}")
    for count, name in counts[:_SHOWN]:
        print(f"{count:8} {name}")
    print(f"{sum(count == 0 for count, _ in counts):8} read none of these\n")


if __name__ == "__main__":
    main()
