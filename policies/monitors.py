"""Rules about what Prometheus asks for metrics: every service, often enough, and nothing that is not there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from policies import kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect
from policies.plain import SECRET, UNKNOWN, Scalar, show
from policies.selection import Selection, label_selector, tally
from policies.values import seconds
from runbook import services
from runbook.alerting import recordings
from runbook.alerting.model import SCRAPES_IN_WINDOW
from runbook.sections import Section

_SLOWEST: Final = recordings.RATE_SECONDS // SCRAPES_IN_WINDOW
_BY_SERVICE: Final = {spec.service_name: spec for spec in services.ALL}


def _watched(index: StackIndex) -> dict[str, set[bool | None]]:
    """Whether ServiceMonitors ask a Service, by the Service's URN."""
    found: defaultdict[str, set[bool | None]] = defaultdict(set)
    for asked in dict.fromkeys(_asked(index, monitor) for monitor in index.of(kinds.SERVICE_MONITOR)):
        for service, verdict in asked.members:
            found[service.urn].add(verdict)
    return dict(found)


def _asked(index: StackIndex, monitor: Resource) -> Selection:
    """The Services that a ServiceMonitor selects and that have the port it asks: one for all that ask the same."""
    spec = monitor.at("spec")
    chosen = index.services.selected(label_selector(spec.at("selector")), _space(monitor))
    ports = tuple(endpoint.at("port").scalar for endpoint in spec.at("endpoints").elements())

    def build() -> Selection:
        judged = (
            (service, None if verdict is None else _has_port(service, port))
            for service, verdict in chosen.members
            for port in ports
        )
        return Selection((service, verdict) for service, verdict in judged if verdict is not False)

    return index.once(("services asked", chosen, ports), build)


def _space(monitor: Resource) -> str | None:
    """The namespace that it looks into: its own where it does not say."""
    names = monitor.at("spec", "namespaceSelector", "matchNames")
    stated = next((node.text for node in names.elements()), None)
    return stated if names.present else monitor.namespace


def _has_port(service: Resource, port: Scalar) -> bool | None:
    ports = [each.at("name") for each in service.at("spec", "ports").elements()]
    if port in (UNKNOWN, SECRET) or any(each.hidden for each in ports):
        return None
    return isinstance(port, str) and port in [each.text for each in ports]


def _has_monitor(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    watched = index.once("monitors by service", lambda: _watched(index))
    for service in index.of(kinds.SERVICE):
        if service.object_name in _BY_SERVICE:
            verdict = tally(watched.get(service.urn, ())).any
            allowed = "one that selects it and asks a port of it"
            yield service, decide(verdict, "its ServiceMonitor", "missing", allowed)


def _target_exists(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for monitor in index.of(kinds.SERVICE_MONITOR):
        selector = monitor.at("spec", "selector", "matchLabels")
        verdict = _asked(index, monitor).tally.any
        allowed = "labels of a Service of the stack that has the port"
        yield monitor, decide(verdict, selector.path, "the labels of nothing that has it", allowed)


def _interval(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for endpoint in resource.at("spec", "endpoints").elements():
        interval, timeout = endpoint.at("interval"), endpoint.at("scrapeTimeout")
        allowed = f"{_SLOWEST}s or less: a rate over {recordings.RATE_SECONDS} s needs {SCRAPES_IN_WINDOW} of them"
        yield expect(interval, lambda value: 0 < seconds(value) <= _SLOWEST, allowed)
        if timeout.present and interval.text is not None:
            yield expect(
                timeout,
                lambda value, whole=interval: seconds(value) <= seconds(whole.value),
                f"{show(interval.value)} or less",
            )


def _meta(name: str, description: str, severity: Severity, remediation: str) -> Meta:
    return Meta(name, description, severity, Section.HEALTH_CHECK, remediation)


RULES: Final = (
    _meta(
        "service-has-monitor",
        "Prometheus asks every service for its metrics.",
        Severity.HIGH,
        "Declare a ServiceMonitor whose selector matches the Service's labels, with the name of its port.",
    ).of_stack(_has_monitor),
    _meta(
        "monitor-target-exists",
        "A ServiceMonitor asks a Service and a port that exist.",
        Severity.HIGH,
        "Set spec.selector.matchLabels and endpoints[].port to those of a Service of the stack.",
    ).of_stack(_target_exists),
    _meta(
        "scrape-interval",
        "Prometheus asks often enough for the rates that alerts compare.",
        Severity.MEDIUM,
        "Set endpoints[].interval to the limit at most, and scrapeTimeout not above it.",
    ).of_resource(kinds.one_of(kinds.SERVICE_MONITOR), _interval),
)
