"""Every query names only metrics and labels that the real exporters and the sample service have: as recorded."""

from __future__ import annotations

import re
from functools import cache

import promql_parser
import pytest

from local import metric_names
from runbook import alerts, dashboards, slo
from runbook.alerting.model import Recording
from runbook.alerting.rendering import Scope, rule_groups
from tests.unit import promql

_SCOPE = Scope("crypto", "https://git.example.com")
_LINE = re.compile(r"(?P<job>\S+) (?P<metric>\w+)\{(?P<labels>[\w,]+)\}")
_RULES = [rule for group in rule_groups(alerts.GROUPS, _SCOPE)["groups"] for rule in group["rules"]]
_QUERIES = {
    **{f"rule {rule.get('alert') or rule['record']}": rule["expr"] for rule in _RULES},
    **{
        f"dashboard {dashboard.name}: {panel.title}": _SCOPE.query(panel.query, panel.window_seconds)
        for dashboard in dashboards.ALL
        for panel in dashboard.panels
    },
    **{f"check {objective.name}": objective.expression for objective in slo.objectives("crypto")},
}
# Where a scrape does not honour a series' own labels, Prometheus keeps them under this name.
_BY_SCRAPE = {"exported_namespace"}


@cache
def _recorded() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in metric_names.FILE.read_text().splitlines():
        if not line.startswith("#"):
            match = _LINE.fullmatch(line)
            assert match, line
            found.setdefault(match["metric"], set()).update(match["labels"].split(","))
    return found


@cache
def _known() -> dict[str, set[str]]:
    """The recorded metrics, and what our own rules record: with the labels of what they read."""
    known = dict(_recorded())
    for group in alerts.GROUPS:
        for rule in group.rules:
            if isinstance(rule, Recording):
                sources = promql.metrics(_SCOPE.query(rule.query, rule.window_seconds))
                known[rule.name] = {"namespace"}.union(*(known[name] for name in sources))
    return known


def test_the_recording_is_of_every_exporter_and_service() -> None:
    lines = metric_names.FILE.read_text().splitlines()
    jobs = {line.split()[0] for line in lines if not line.startswith("#")}
    expected = {"api-gateway", "sentiment", "postgres-exporter", "redis-exporter", "kafka-exporter", "node-exporter"}
    assert expected | {"kube-state-metrics", "kubelet", "cert-manager", "alertmanager", "prometheus"} <= jobs
    assert len(lines) > 1000


@pytest.mark.parametrize("name", list(_QUERIES))
def test_a_query_names_only_metrics_that_somebody_exports(name: str) -> None:
    read = promql.metrics(_QUERIES[name])
    assert read or name == "rule Watchdog"
    assert read <= _known().keys()


@pytest.mark.parametrize("name", list(_QUERIES))
def test_a_query_asks_for_no_label_that_its_metric_lacks(name: str) -> None:
    for node in promql.nodes(promql_parser.parse(_QUERIES[name])):
        if isinstance(node, promql_parser.VectorSelector) and node.name is not None:
            asked = {matcher.name for matcher in node.matchers.matchers} - _BY_SCRAPE
            assert asked <= _known()[node.name], node.name


@pytest.mark.parametrize("name", list(_QUERIES))
def test_a_sum_is_by_labels_that_its_metrics_have(name: str) -> None:
    for text in re.findall(r"\b(?:by|on) \(([\w, ]+)\)", _QUERIES[name]):
        labels = {label.strip() for label in text.split(",")}
        everything = set[str]().union(*(_known()[metric] for metric in promql.metrics(_QUERIES[name])))
        made = set(re.findall(r'label_replace\(.+, "(\w+)", "\$1"', _QUERIES[name]))
        assert labels <= everything | made


def test_a_recording_has_names_and_labels_and_no_values() -> None:
    series = [
        {"__name__": "up", "job": "a", "instance": "i"},
        {"__name__": "up", "job": "a", "pod": "p"},
        {"__name__": "job:up:rate5m", "job": "a"},
        {"__name__": "ALERTS", "job": "a"},
        {"__name__": "orphan"},
    ]
    assert metric_names.condensed(series) == {"a up{instance,job,pod}"}
