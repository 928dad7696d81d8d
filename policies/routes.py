"""Rules about notifications: each severity reaches somebody in time, and only maintenance mutes (chapters 2 and 8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from policies import alerting, kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, among, decide, expect
from policies.plain import MISSING, Node, Plain, show
from policies.values import seconds
from runbook import practices, severities
from runbook.alerting import routing
from runbook.alerting.durations import EVALUATION_SECONDS, SCRAPE_SECONDS
from runbook.sections import Section
from runbook.units import time_of_day

_WINDOWS: Final = {window.name: window for window in routing.WINDOWS}
_LONGEST: Final = practices.MAINTENANCE_WINDOW.count // 60
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
# What Alertmanager waits before it first tells of a group, where a route does not say.
_DEFAULT_WAIT_SECONDS: Final = 30
_RANK: Final = {severity.name: rank for rank, severity in enumerate(severities.ALL)}


def _carries(route: Node, severity: str) -> bool | None:
    """Whether a route takes alerts of the severity; None while it is not yet known."""
    matchers = route.at("matchers")
    if matchers.hidden:
        return None
    verdicts = [_matches(matcher, severity) for matcher in matchers.elements()]
    return None if None in verdicts and False not in verdicts else all(verdicts)


def _matches(matcher: Node, severity: str) -> bool | None:
    name, value = matcher.at("name"), matcher.at("value")
    if name.hidden or value.hidden:
        return None
    if name.text != "severity" or value.text is None:
        # A matcher of another label may let the alert of this severity pass, or not: it does not carry all of them.
        return False
    return _fits(matcher.at("matchType").text or "=", value.text, severity)


def _fits(kind: str, wanted: str, severity: str) -> bool:
    if kind == "=~":
        return severity in wanted.split("|")
    return wanted == severity if kind == "=" else False


def _taken_by(route: Node, severity: str) -> tuple[list[Node], bool]:
    """The routes that tell of a severity, from the outermost on; and whether that is not yet known."""
    taken: list[Node] = []
    for child in route.at("routes").elements():
        carries = True if child.at("matchers").value in (MISSING, []) else _carries(child, severity)
        if carries is None:
            return taken, True
        if carries:
            taken.append(child)
            if child.at("continue").value is not True:
                return taken, False
    return taken or [route], route.at("routes").hidden


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
    routes, waits = _taken_by(resource.at("spec", "route"), severity.name)
    heard = [route for route in routes if _has_channel(resource, route.at("receiver"))]
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


def _wait(route: Node) -> float:
    value = route.at("groupWait").value
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
    for route in (resource.at("spec", "route"), *resource.at("spec", "route", "routes").elements()):
        if _carries(route, page) is True:
            for key in ("muteTimeIntervals", "activeTimeIntervals"):
                yield expect(route.at(key), lambda value: value in (MISSING, []), f"none: a {page} is never muted")


def _bounded(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for mute in resource.at("spec", "muteTimeIntervals").elements():
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
    for rule in resource.at("spec", "inhibitRules").elements():
        sources, targets = (_severities(rule.at(key)) for key in ("sourceMatch", "targetMatch"))
        if rule.unknown or sources is None or targets is None:
            downwards = None
        else:
            downwards = _names_cause_and_effects(rule) or _is_worse(sources, targets)
        yield decide(downwards, rule.path, "the other way round", "a source that is worse than every target")


def _names_cause_and_effects(rule: Node) -> bool:
    """Whether the rule names the alert that explains others, and those: then nothing else is silenced."""
    cause, effects = (_alerts(rule.at(key)) for key in ("sourceMatch", "targetMatch"))
    return bool(cause) and bool(effects) and not cause & effects


def _alerts(matchers: Node) -> set[str]:
    named = (matcher for matcher in matchers.elements() if matcher.at("name").text == "alertname")
    return {name for matcher in named for name in (matcher.at("value").text or "").split("|") if name}


def _severities(matchers: Node) -> list[str] | None:
    """The severities that matchers name; None while they are not yet known."""
    found: list[str] = []
    for matcher in matchers.elements():
        name, value = matcher.at("name"), matcher.at("value")
        if name.unknown or value.unknown:
            return None
        if name.text == "severity" and value.text is not None:
            found += value.text.split("|")
    return found


def _is_worse(sources: list[str], targets: list[str]) -> bool:
    if not sources or not targets or not {*sources, *targets} <= set(_RANK):
        return False
    return max(_RANK[name] for name in sources) < min(_RANK[name] for name in targets)


_IS_CONFIG: Final = kinds.one_of(kinds.ALERTMANAGER_CONFIG)

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
    ).of_resource(_IS_CONFIG, _never_muted),
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
        "Let sourceMatch name a severity above all that targetMatch names.",
    ).of_resource(_IS_CONFIG, _downwards),
)
