"""Rules about notifications: each severity reaches somebody in time, and only maintenance mutes (chapters 2 and 8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from policies import alerting, alertmanager_files, kinds, matching
from policies.index import StackIndex
from policies.matching import Share
from policies.model import Judgement, Meta, Parameters, Resource, Severity, among, decide, expect, undecided
from policies.plain import MISSING, Node, Plain, show
from policies.values import seconds
from runbook import practices, severities
from runbook.alerting import routing
from runbook.alerting.durations import EVALUATION_SECONDS, SCRAPE_SECONDS
from runbook.alerting.watching import WATCHDOG
from runbook.sections import Section
from runbook.units import time_of_day

_WINDOWS: Final = {window.name: window for window in routing.WINDOWS}
_LONGEST: Final = practices.MAINTENANCE_WINDOW.count // 60
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
# What Alertmanager waits before it first tells of a group, where a route does not say.
_DEFAULT_WAIT_SECONDS: Final = 30
_RANK: Final = {severity.name: rank for rank, severity in enumerate(severities.ALL)}


class _Told(NamedTuple):
    """A route that tells of alerts: what it does not state it has from the route above."""

    receiver: Node
    wait: Node


def _labels(resource: Resource, severity: str) -> dict[str, str]:
    """What is known of an alert's labels: the operator adds a matcher of the namespace to a configuration's routes."""
    return {"severity": severity, **({} if resource.namespace is None else {"namespace": resource.namespace})}


def _taken_by(route: Node, labels: Mapping[str, str], above: _Told | None = None) -> tuple[list[_Told], bool]:
    """The routes that tell of every alert with the labels, from the outermost on; and whether that is not yet known.

    A matcher of another label lets some of the alerts pass: its route does not count.
    """
    told = _Told(
        *(_own_or(route.at(key), above and above[place]) for place, key in enumerate(("receiver", "groupWait")))
    )
    found: list[_Told] = []
    for child in route.at("routes").elements():
        takes = matching.takes_all(child.at("matchers"), labels)
        if takes is None:
            return found, True
        if takes:
            below, unsure = _taken_by(child, labels, told)
            found += below
            if unsure or child.at("continue").value is not True:
                return found, unsure
    return found or [told], route.at("routes").hidden


def told(route: Node, labels: Mapping[str, str]) -> list[str | None]:
    """The receivers that hear of every alert with the labels, in the order of a tree of routes."""
    return [each.receiver.text for each in _taken_by(route, labels)[0]]


def _own_or(own: Node, inherited: Node | None) -> Node:
    return own if own.present or inherited is None else inherited


def _reached(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    configs: dict[str | None, list[Resource]] = {}
    for resource in index.of(kinds.ALERTMANAGER_CONFIG):
        configs.setdefault(resource.namespace, []).append(resource)
    slowest = index.once("slowest alerts", lambda: _slowest(index))
    for system in index.systems:
        own = [*configs.get(system.object_name, ()), *configs.get(None, ())]
        if not own:
            yield system, decide(False, "its AlertmanagerConfig", "missing", "one that routes every severity")
        for resource in own:
            for severity in severities.ALL:
                yield resource, _judge(resource, severity, slowest.get((resource.namespace, severity.name), 0))


def _slowest(index: StackIndex) -> dict[tuple[str | None, str], float]:
    """The longest time until an alert of a severity fires, by namespace."""
    found: dict[tuple[str | None, str], float] = {}
    for namespace, declared in alerting.by_namespace(index).items():
        for _, rule in declared:
            key = (namespace, rule.at("labels", "severity").text or "")
            found[key] = max(found.get(key, 0), alerting.until_it_fires(rule))
    return found


def _judge(resource: Resource, severity: severities.Severity, slowest: float) -> Judgement:
    routes, waits = _taken_by(resource.at("spec", "route"), _labels(resource, severity.name))
    heard = [route for route in routes if _has_channel(resource, route.receiver)]
    path, allowed = f"spec.route for {severity.name}", "a route to a receiver that has a channel"
    if severity.response_seconds is not None:
        # The outage is seen by the next scrape, and its alert by the next evaluation.
        late = slowest + SCRAPE_SECONDS + EVALUATION_SECONDS
        left = severity.response_seconds - late
        heard = [route for route in heard if _wait(route) < left]
        allowed += (
            f", after less than {left:g} s: its alerts take up to {late:g} s, an answer {severity.response_seconds} s"
        )
    unsure = waits or resource.at("spec", "receivers").unknown
    return decide(among(bool(heard), unsure=unsure), path, "silent or too late", allowed)


def _wait(route: _Told) -> float:
    value = route.wait.value
    try:
        return _DEFAULT_WAIT_SECONDS if value is MISSING else seconds(value)
    except ValueError:
        return float("inf")


def _has_channel(resource: Resource, name: Node) -> bool:
    for receiver in resource.at("spec", "receivers").elements():
        if receiver.at("name").text is not None and receiver.at("name").text == name.text:
            return any(key.endswith("Configs") and node.value not in ([], MISSING) for key, node in receiver.entries())
    return False


def _never_muted(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    page = severities.P1.name
    for route, share in (
        found
        for spec, labels in _configured(resource, page)
        for found in _carrying(spec.at("route"), labels, Share.ALL)
    ):
        for key in ("muteTimeIntervals", "activeTimeIntervals"):
            intervals, allowed = route.at(key), f"none: a {page} is never muted"
            if share is Share.UNKNOWN and intervals.value not in (MISSING, []):
                yield undecided(intervals.path, allowed)
            else:
                yield expect(intervals, lambda value: value in (MISSING, []), allowed)


def _configured(resource: Resource, severity: str) -> Iterator[tuple[Node, dict[str, str]]]:
    """Specs of routes and inhibitions, each with what it is known to get of an alert's labels.

    A file is no part of the operator's configuration: its routes get every namespace.
    """
    if resource.kind == kinds.ALERTMANAGER_CONFIG:
        yield resource.at("spec"), _labels(resource, severity)
    else:
        yield from ((spec, {"severity": severity}) for spec in alertmanager_files.specs(resource))


def _carrying(route: Node, labels: Mapping[str, str], share: Share) -> Iterator[tuple[Node, Share]]:
    """The routes that tell of some alerts with the labels, and of how many.

    What lies behind a route that keeps them all gets none, but is named where it would take them all.
    """
    yield route, share
    kept = False
    # What lies below a hidden value is hidden, without an end.
    for child in () if route.hidden else route.at("routes").elements():
        own = matching.taken(child.at("matchers"), labels)
        if own is not Share.NONE and (not kept or own is not Share.SOME):
            yield from _carrying(child, labels, matching.together((share, own)))
        kept = kept or (own is Share.ALL and child.at("continue").value in (MISSING, False))


def _bounded(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    # v1alpha1 and v1beta1 have other names for it.
    spec = resource.at("spec")
    for mute in (*spec.at("muteTimeIntervals").elements(), *spec.at("timeIntervals").elements()):
        name = mute.at("name")
        yield expect(name, lambda value: value in tuple(_WINDOWS), f"a maintenance window: {', '.join(_WINDOWS)}")
        window = _WINDOWS.get(name.text or "")
        if window is None:
            continue
        for interval in mute.at("timeIntervals").elements():
            yield from _interval(interval, window)


def _interval(interval: Node, window: routing.Window) -> Iterator[Judgement]:
    days, times = interval.at("weekdays"), interval.at("times")
    yield expect(days, lambda value: value == [window.weekday], f"{window.weekday} alone")
    yield expect(times, lambda value: isinstance(value, list) and value != [], "a beginning and an end")
    for time in times.elements():
        start, end = time.at("startTime"), time.at("endTime")
        yield expect(start, lambda value: _minute(value) == window.start_minute, time_of_day(window.start_minute))
        allowed = f"{time_of_day(window.start_minute + _LONGEST)} or before: {_LONGEST} minutes at most"
        yield expect(end, lambda value: 0 < _minute(value) - window.start_minute <= _LONGEST, allowed)


def _minute(value: Plain) -> int:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(show(value))
    return int(match[1]) * 60 + int(match[2])


def _downwards(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    page = severities.P1.name
    for rule in (each for spec, _ in _configured(resource, page) for each in spec.at("inhibitRules").elements()):
        source, target, equal = rule.at("sourceMatch"), rule.at("targetMatch"), rule.at("equal")
        downwards = _is_downwards(resource, source, target)
        yield decide(downwards, rule.path, "the other way round", "a source that is worse than every target")
        always = matching.names(source, "alertname") or frozenset()
        yield decide(WATCHDOG.name not in always, source.path, f"{WATCHDOG.name}, which always fires", "another alert")
        yield expect(equal, lambda value: value not in (MISSING, []), "labels that both alerts have alike")


def _is_downwards(resource: Resource, source: Node, target: Node) -> bool | None:
    """Whether the source is worse than every target, or names the alert that explains others, and those."""
    cause, effects = (matching.names(matchers, "alertname") for matchers in (source, target))
    if cause and effects and not cause & effects:
        return True
    shares = [
        {severity.name: matching.taken(matchers, _labels(resource, severity.name)) for severity in severities.ALL}
        for matchers in (source, target)
    ]
    if any(Share.UNKNOWN in found.values() for found in shares):
        return None
    worse, lesser = ([_RANK[name] for name, share in found.items() if share is not Share.NONE] for found in shares)
    if not worse or not lesser or not _of_severities(source) or not _of_severities(target):
        return False
    return max(worse) < min(lesser)


def _of_severities(matchers: Node) -> bool:
    """Whether matchers speak of severities, and write out none but the runbook's."""
    named = matching.names(matchers, "severity")
    spoken = any(
        matcher.at("name").text == "severity" and not matching.kind_of(matcher).startswith("!")
        for matcher in matchers.elements()
    )
    return spoken and (named is None or not named - set(_RANK))


_IS_CONFIG: Final = kinds.one_of(kinds.ALERTMANAGER_CONFIG)
_MAY_HAVE_CONFIG: Final = kinds.one_of(kinds.ALERTMANAGER_CONFIG, kinds.CONFIG_MAP, kinds.SECRET)

RULES: Final = (
    Meta(
        "severity-reaches-receiver",
        "An alert of every severity reaches somebody within the time in which it is answered.",
        Severity.CRITICAL,
        Section.SEVERITIES,
        "Give each severity a route to a receiver with a channel (crypto:alerting), and a short groupWait.",
    ).of_stack(_reached),
    Meta(
        "page-never-muted",
        "Nothing mutes a P1.",
        Severity.CRITICAL,
        Section.SEVERITIES,
        "Leave muteTimeIntervals and activeTimeIntervals out of the routes of severity P1.",
    ).of_resource(_MAY_HAVE_CONFIG, _never_muted),
    Meta(
        "mutes-are-maintenance",
        "Alerts are muted in the runbook's maintenance windows and at no other time.",
        Severity.HIGH,
        Section.MAINTENANCE_WINDOWS,
        "Take the intervals from runbook.alerting.routing.",
    ).of_resource(_IS_CONFIG, _bounded),
    Meta(
        "inhibition-downwards",
        "Only a worse alert silences another.",
        Severity.HIGH,
        Section.SEVERITIES,
        "Let sourceMatch name a severity above all of targetMatch, or an alert and what follows from it; state equal.",
    ).of_resource(_MAY_HAVE_CONFIG, _downwards),
)
