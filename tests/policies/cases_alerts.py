"""Cases of the rules about notifications: spellings of matchers, routes below routes, inhibitions of everything."""

from __future__ import annotations

import base64
from typing import Any

from policies.plain import UNKNOWN
from tests.policies.cases import Case, Waiting
from tests.policies.stack import Declared

ROUTES = "spec.route.routes"
INHIBIT = "spec.inhibitRules.0"
_MUTED, _REACHED, _DOWN = "page-never-muted", "severity-reaches-receiver", "inhibition-downwards"
_WINDOW = {"muteTimeIntervals": ["weekly-maintenance"]}


def matcher(name: str, kind: str, value: Any) -> dict[str, Any]:
    """A matcher of an AlertmanagerConfig."""
    return {"name": name, "matchType": kind, "value": value}


def severity(kind: str, value: Any) -> dict[str, Any]:
    """A matcher of severities."""
    return matcher("severity", kind, value)


def to(receiver: str, *matchers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A route."""
    return {"receiver": receiver, "matchers": list(matchers), **more}


def routed(rule: str, *routes: dict[str, Any], **outermost: Any) -> Case:
    """A tree of routes."""
    return (rule, ("routes", "spec.route", {"receiver": "p1", "routes": list(routes), **outermost}))


def inhibited(source: Any, target: Any, **more: Any) -> Case:
    """A rule of inhibition."""
    stated = {"sourceMatch": source, "targetMatch": target, "equal": ["namespace"], **more}
    return (_DOWN, ("routes", INHIBIT, stated))


def filed(
    rule: str, content: str, kind: str = "ConfigMap", place: str = "data", name: str = "alertmanager.yml"
) -> Case:
    """Alertmanager's own configuration beside the good stack."""
    body = {"metadata": {"name": "alertmanager", "namespace": "monitoring"}, place: {name: content}}
    return (rule, ("file", "", Declared(f"kubernetes:core/v1:{kind}", "file", body)))


def muting(matchers: str) -> str:
    """A file whose only route below the outermost is muted."""
    return f"route: {{receiver: a, routes: [{{receiver: a, {matchers}, mute_time_intervals: [night]}}]}}"


def inhibiting(rule: str) -> str:
    """A file with one rule of inhibition."""
    return f"route: {{receiver: a}}\ninhibit_rules: [{{{rule}}}]"


_FILED_P1 = muting("matchers: ['severity=\"P1\"']")
_P1, _P4 = severity("=", "P1"), severity("=", "P4")
_DOWN_ALERT, _LATE_ALERT = matcher("alertname", "=", "ApiGatewayDown"), matcher("alertname", "=", "ApiGatewaySlow")
_EVERYTHING = matcher("alertname", "=~", ".+")
_WATCHDOG = matcher("alertname", "=", "Watchdog")

PASSES: list[Case] = [
    routed(_MUTED, to("p4", _P4, **_WINDOW)),
    routed(_MUTED, to("p4", severity("!=", "P1"), **_WINDOW)),
    routed(_MUTED, to("p4", severity("!~", "P[12]"), **_WINDOW)),
    routed(_MUTED, to("p4", severity("=~", "P[234]"), **_WINDOW)),
    # A regular expression fits the whole value.
    routed(_MUTED, to("p4", severity("=~", "P"), **_WINDOW)),
    routed(_MUTED, to("p4", _P4, matcher("team", "=", "data"), **_WINDOW)),
    routed(_MUTED, to("p4", matcher("namespace", "=", "other"), **_WINDOW)),
    routed(_MUTED, to("p4", _P4, routes=[to("p4", matcher("team", "=", "data"), **_WINDOW)])),
    # Another route has kept them.
    routed(_MUTED, to("p1", _P1), to("p4", matcher("team", "=", "data"), **_WINDOW)),
    routed(_REACHED, to("p1", severity("=~", "P[1-4]"))),
    routed(_REACHED, to("p1", severity("!~", "P5")), receiver="nobody"),
    routed(_REACHED, to("nobody", severity("=~", "P.*"), routes=[to("p1")]), receiver="nobody"),
    routed(_REACHED, to("p1", matcher("team", "=~", ".*")), receiver="nobody"),
    # A route has from the one above it what it does not state.
    routed(_REACHED, {"matchers": []}),
    routed(_REACHED, {"matchers": [matcher("namespace", "=", "crypto")]}, groupWait="10s"),
    routed(_REACHED, to("p1", {"name": "severity", "regex": True, "value": "P1|P2|P3|P4"}), receiver="nobody"),
    routed(_REACHED, to("nobody", matcher("team", "=", "data"), {"name": UNKNOWN})),
    filed(_MUTED, muting("matchers: ['severity=~\"P[34]\"']")),
    filed(_MUTED, muting("matchers: ['severity=\"P4\"', '?']")),
    filed(_MUTED, muting("match: {severity: P4}")),
    filed(_MUTED, _FILED_P1, name="other.yml"),
    filed(_MUTED, "route: ["),
    filed(_MUTED, "- route"),
    filed(_MUTED, "not base64", kind="Secret"),
    filed(_DOWN, inhibiting("source_matchers: [severity=P1], target_matchers: ['severity=~\"P3|P4\"'], equal: [a]")),
    inhibited([_P1], [severity("=~", "P[34]")]),
    inhibited([severity("=~", "P1|P2")], [severity("=~", "P3|P4")]),
    inhibited([_P1, matcher("team", "=", "data")], [_P4]),
    inhibited([_DOWN_ALERT], [_LATE_ALERT]),
    inhibited([_DOWN_ALERT], [matcher("alertname", "=~", "ApiGatewaySlow|ApiGatewayErrors")]),
]

FAILS: list[Case] = [
    *(
        filed(_MUTED, muting(matchers))
        for matchers in (
            *("match: {severity: P1}", "match_re: {severity: 'P[12]'}", "matchers: ['severity!=P4']", "continue: true"),
            *('matchers: [\'{severity=~"P1|P2", team="data"}\']', "matchers: [ 'severity =~ \"P.\"' ]"),
            *('matchers: [\'"severity"="P\\1"\']', "matchers: ['?']", "matchers: [severity=P1]"),
        )
    ),
    filed(_MUTED, _FILED_P1, name="alertmanager.yaml"),
    filed(_MUTED, _FILED_P1, kind="Secret", place="stringData"),
    filed(_MUTED, base64.b64encode(_FILED_P1.encode()).decode(), kind="Secret"),
    filed(_DOWN, inhibiting("source_match: {alertname: Watchdog}, target_match_re: {alertname: .+}, equal: [a]")),
    filed(_DOWN, inhibiting("source_matchers: [severity=P1], target_matchers: [severity=P1], equal: [a]")),
    filed(_DOWN, inhibiting("source_matchers: [severity=P1], target_matchers: [severity=P4]")),
    routed(_MUTED, to("p1", severity("!=", "P4"), **_WINDOW)),
    routed(_MUTED, to("p1", severity("=~", "P[12]"), **_WINDOW)),
    routed(_MUTED, to("p1", severity("!~", "P[34]"), **_WINDOW)),
    routed(_MUTED, to("p1", {"name": "severity", "regex": True, "value": "P."}, **_WINDOW)),
    routed(_MUTED, to("p1", severity("=~", "P("), **_WINDOW)),
    routed(_MUTED, to("p1", matcher("team", "=", "data"), **_WINDOW)),
    routed(_MUTED, to("p1", matcher("namespace", "=", "crypto"), **_WINDOW)),
    routed(_MUTED, to("p1", matcher("namespace", "=~", ".*"), activeTimeIntervals=["office-hours"])),
    routed(_MUTED, to("p1", _P1, routes=[to("p1", matcher("team", "=", "data"), **_WINDOW)])),
    routed(_MUTED, to("p1", _P1, routes=[to("p1", routes=[to("p1", **_WINDOW)])])),
    routed(_MUTED, to("p1", _P1, **{"continue": True}), to("p1", matcher("team", "=", "data"), **_WINDOW)),
    routed(_MUTED, to("p1", _P1), to("p1", severity("!=", "P4"), **_WINDOW)),
    routed(_MUTED, **_WINDOW),
    ("mutes-are-maintenance", ("routes", "spec.timeIntervals", [{"name": "weekend", "timeIntervals": []}])),
    routed(_REACHED, to("nobody", severity("!=", "P2"))),
    routed(_REACHED, to("nobody", severity("=~", "P[12]"))),
    routed(_REACHED, to("p1", severity("=~", "P")), receiver="nobody"),
    routed(_REACHED, to("p1", severity("=~", "P1|P2|P3|P4"), matcher("team", "=", "data")), receiver="nobody"),
    routed(_REACHED, to("p1", _P1, routes=[to("nobody", severity("=~", ".+"))])),
    routed(_REACHED, to("p1", matcher("namespace", "=", "other")), receiver="nobody"),
    routed(_REACHED, {"matchers": []}, receiver="nobody"),
    routed(_REACHED, to("p1", matcher("team", "=", ".*")), receiver="nobody"),
    routed(_REACHED, to("p1", matcher("team", "=~", "data.*")), receiver="nobody"),
    routed(_REACHED, to("p1", matcher("team", "!~", ".*")), receiver="nobody"),
    routed(_REACHED, to("p1"), groupWait="15m"),
    inhibited([_WATCHDOG], [_EVERYTHING]),
    inhibited([_WATCHDOG], [_LATE_ALERT]),
    inhibited([_P1, _WATCHDOG], [_P4]),
    inhibited([_DOWN_ALERT], [_EVERYTHING]),
    inhibited([matcher("alertname", "!=", "Watchdog")], [_LATE_ALERT]),
    inhibited([_DOWN_ALERT], [_DOWN_ALERT]),
    inhibited([], [_P4]),
    inhibited([_P1], []),
    inhibited([severity("!=", "P4")], [_P4]),
    inhibited([_P1], [severity("!=", "P4")]),
    inhibited([severity("=~", "P[12]")], [severity("=~", "P[234]")]),
    inhibited([severity("=~", "P[5]")], [_P4]),
    inhibited([_P1], [_P4], equal=None),
    inhibited([_P1], [_P4], equal=[]),
]

WAITS: list[Waiting] = [
    (_MUTED, "routes", f"{ROUTES}.6.matchers"),
    (_MUTED, "routes", f"{ROUTES}.6.matchers.0.matchType"),
    (_DOWN, "routes", f"{INHIBIT}.sourceMatch"),
    (_DOWN, "routes", f"{INHIBIT}.equal"),
]
