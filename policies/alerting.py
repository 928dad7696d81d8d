"""Rules about alerts: each limit of the runbook has its alert, and each alert can be answered (chapters 2 and 3)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from policies import kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect
from policies.plain import MISSING, Node, Plain, Scalar, show
from policies.values import seconds
from runbook import alerts, severities
from runbook.alerting.model import NAMESPACE, Alert, Limit, number
from runbook.sections import Section

_SEVERITIES: Final = tuple(severities.BY_NAME)
_PAGE: Final = "docs/runbook.md"
_LINKS: Final = (*(section.link for section in Section), *(f"{_PAGE}#{alert.anchor}" for alert in alerts.ALL))
_COMPARISON: Final = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9.][0-9.eE+-]*)")
_RANGE: Final = re.compile(r"\[([0-9a-z]+)")
_NEAR: Final = re.compile(r"""[({\[]|[)}\]]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")
_LIMITS: Final = tuple((alert, alert.condition) for alert in alerts.ALL if isinstance(alert.condition, Limit))

Declared: TypeAlias = tuple[Resource, Node]


class Compared(NamedTuple):
    """A comparison of a query with a number, outside of all brackets."""

    query: str
    operator: str
    limit: float


@lru_cache(maxsize=2048)
def comparisons(expression: str) -> tuple[Compared, ...]:
    """Every comparison with a number that PromQL makes at its outermost level, in order."""
    outer = _outermost(expression)
    return tuple(
        Compared("".join(expression[: match.start()].split()), match[1], float(match[2]))
        for match in _COMPARISON.finditer(outer)
        if _is_number(match[2])
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _outermost(expression: str) -> str:
    """The expression with blanks for everything in brackets."""
    kept, depth, end = list(expression), 0, 0
    for match in _NEAR.finditer(expression):
        if depth:
            kept[end : match.end()] = " " * (match.end() - end)
        depth = max(0, depth + (match[0] in "({[") - (match[0] in ")}]"))
        end = match.end()
    return "".join(kept)


def of(resource: Resource) -> Iterator[Node]:
    """The alerts of a PrometheusRule; recording rules left out."""
    for group in resource.at("spec", "groups").elements():
        for rule in group.at("rules").elements():
            if rule.at("alert").present:
                yield rule


def by_namespace(index: StackIndex) -> dict[str | None, list[Declared]]:
    """Every declared alert with its PrometheusRule."""

    def build() -> dict[str | None, list[Declared]]:
        found: defaultdict[str | None, list[Declared]] = defaultdict(list)
        for resource in index.of(kinds.PROMETHEUS_RULE):
            found[resource.namespace] += [(resource, rule) for rule in of(resource)]
        return dict(found)

    return index.once("alerts by namespace", build)


def look_back(rule: Node) -> float:
    """Seconds of a total failure that an alert's query needs: as the catalogue says, else its query's longest range."""
    known = alerts.BY_NAME.get(rule.at("alert").text or "")
    if known is not None:
        return known.window_seconds * known.window_share
    return max((_seconds(each) for each in _RANGE.findall(rule.at("expr").text or "")), default=0)


def _seconds(text: Plain) -> float:
    try:
        return 0 if text is MISSING else seconds(text)
    except ValueError:
        return 0


def until_it_fires(rule: Node) -> float:
    """Seconds from the cause of an alert until it fires: how far it looks back, and how long it must hold."""
    return look_back(rule) + _seconds(rule.at("for").value)


def _one_alert(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    declared = by_namespace(index)
    unread = any(resource.at("spec", "groups").unknown for resource in index.of(kinds.PROMETHEUS_RULE))
    for system in index.systems:
        own = [*declared.get(system.object_name, ()), *declared.get(None, ())]
        names: defaultdict[Scalar, list[Declared]] = defaultdict(list)
        for each in own:
            names[each[1].at("alert").scalar].append(each)
        waits = unread or any(node.at("alert").hidden for _, node in own)
        for alert, limit in _LIMITS:
            yield from _judge_alert(system, alert, limit, names.get(alert.name, []), waits=waits)
        yield from _second_alerts(own, system.object_name or "")


def _judge_alert(
    system: Resource, alert: Alert, limit: Limit, found: list[Declared], *, waits: bool
) -> Iterator[tuple[Resource, Judgement]]:
    wanted = f"{limit.comparison} {number(limit.threshold)}"
    allowed = f"declared once, comparing with {wanted}: {limit.threshold.meaning}"
    path = f"its alert {alert.name}"
    if len(found) != 1:
        yield system, decide(None if waits and not found else False, path, _times(found), allowed)
        return
    resource, rule = found[0]
    yield resource, expect(rule.at("expr"), lambda value: _compares(value, limit), f"{alert.name} {allowed}")


def _times(found: list[Declared]) -> str:
    return f"declared {len(found)} times" if found else "missing"


def _compares(expression: Plain, limit: Limit) -> bool:
    # An alert over two windows compares twice, and one with a guard compares that, too.
    return isinstance(expression, str) and _pairs(expression) == _pairs(limit.expression)


def _pairs(expression: str) -> list[tuple[str, float]]:
    return [(each.operator, each.limit) for each in comparisons(expression)]


def _second_alerts(own: list[Declared], namespace: str) -> Iterator[tuple[Resource, Judgement]]:
    """A limit that two alerts watch drifts apart: whoever changes one forgets the other."""
    watched = {"".join(limit.query.replace(NAMESPACE, namespace).split()): alert.name for alert, limit in _LIMITS}
    for resource, rule in own:
        name, expression = rule.at("alert").text, rule.at("expr")
        if name is None or name in alerts.BY_NAME or expression.text is None:
            continue
        for compared in comparisons(expression.text):
            other = watched.get(compared.query)
            yield resource, decide(other is None, expression.path, f"what {other} watches", "one alert for each limit")


def _in_time(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in of(resource):
        severity = severities.BY_NAME.get(rule.at("labels", "severity").text or "")
        if severity is not None and severity.response_seconds is not None:
            yield _fires_before(rule, severity.name, severity.response_seconds)


def _fires_before(rule: Node, severity: str, answer: int) -> Judgement:
    back = look_back(rule)
    allowed = f"with {back:g} s of looking back less than the {answer} s in which a {severity} is answered"
    return expect(rule.at("for"), lambda value: (0 if value is MISSING else seconds(value)) + back < answer, allowed)


def _labels(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    own = resource.namespace
    severity = " or ".join(_SEVERITIES)
    for rule in of(resource):
        labels = rule.at("labels")
        yield expect(labels.at("severity"), lambda value: value in _SEVERITIES, severity)
        yield expect(labels.at("team"), _is_text, "the team that mends it")
        # The operator puts a matcher of the namespace on every route.
        yield expect(labels.at("namespace"), lambda value: own in (None, value) and _is_text(value), show(own))


def _runbook(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in of(resource):
        notes = rule.at("annotations")
        yield expect(notes.at("summary"), _is_text, "one line that says what is wrong")
        allowed = f"an address that ends with a section or an alert of {_PAGE}, like {_PAGE}#section-3-5"
        yield expect(notes.at("runbook_url"), lambda value: isinstance(value, str) and value.endswith(_LINKS), allowed)


def _is_text(value: Plain) -> bool:
    return isinstance(value, str) and value.strip() != ""


_IS_RULE: Final = kinds.one_of(kinds.PROMETHEUS_RULE)

RULES: Final = (
    Meta(
        "threshold-has-one-alert",
        "Every limit that the runbook watches has exactly one alert, with exactly its value.",
        Severity.HIGH,
        Section.INCIDENT_PROCESS,
        "Render the alert from runbook.alerts; a limit is changed in runbook.thresholds.",
    ).of_stack(_one_alert),
    Meta(
        "alert-in-time",
        "An alert fires before the time in which its severity is answered is over.",
        Severity.HIGH,
        Section.SEVERITIES,
        "Shorten for or the range of the query, or choose a severity that is answered later.",
    ).of_resource(_IS_RULE, _in_time),
    Meta(
        "alert-labelled",
        "An alert says how bad it is, who mends it and whose it is.",
        Severity.HIGH,
        Section.SEVERITIES,
        "Set the labels severity (P1 to P4), team and namespace: without them no route carries it.",
    ).of_resource(_IS_RULE, _labels),
    Meta(
        "alert-leads-to-runbook",
        "An alert says what is wrong in a line, and where the runbook answers it.",
        Severity.MEDIUM,
        Section.INCIDENT_PROCESS,
        "Set the annotations summary and runbook_url, the latter to a section that exists.",
    ).of_resource(_IS_RULE, _runbook),
)
