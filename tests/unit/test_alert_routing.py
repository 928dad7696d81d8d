"""Who is told, and when: every severity in its time, and nobody twice."""

from __future__ import annotations

import pytest

from runbook import practices
from runbook.alerting import routing
from runbook.alerting.routing import Channel, Route
from runbook.severities import P1, P2, P3, P4, Severity

_FIRST = {route.receiver.severity: route for route in routing.ROUTES if route.receiver.role is None}
_ESCALATIONS = [route for route in routing.ROUTES if route.receiver.role is not None]


def _position(route: Route) -> int:
    return routing.ROUTES.index(route)


@pytest.mark.parametrize("severity", [P1, P2, P3], ids=lambda severity: severity.name)
def test_who_did_not_answer_in_time_is_told_again(severity: Severity) -> None:
    route = _FIRST[severity]
    assert route.repeat == severity.response_seconds
    assert route.wait < route.repeat / 10


@pytest.mark.parametrize("route", routing.ROUTES, ids=lambda route: route.receiver.name)
def test_a_repetition_falls_on_an_interval(route: Route) -> None:
    assert route.repeat % route.interval == 0


def test_receivers_are_named_once_and_all_used() -> None:
    names = [receiver.name for receiver in routing.RECEIVERS]
    assert len(names) == len(set(names)) == len(routing.ROUTES)
    assert routing.FALLBACK in routing.RECEIVERS


def test_a_page_that_nobody_ends_climbs_role_by_role() -> None:
    first = [(route.receiver.role, route.wait) for route in _ESCALATIONS if route.receiver.severity is P1]
    assert first == [("Engineering Manager", 900), ("Engineering Lead", 1800), ("CTO", 2700)]
    assert [route.receiver.role for route in _ESCALATIONS if route.receiver.severity is P2] == ["Engineering Manager"]
    assert {route.receiver.severity for route in _ESCALATIONS} == {P1, P2}


@pytest.mark.parametrize("route", _ESCALATIONS, ids=lambda route: route.receiver.name)
def test_an_escalation_keeps_the_alert_from_nobody(route: Route) -> None:
    severity = route.receiver.severity
    assert severity is not None
    assert route.proceed
    assert _position(route) < _position(_FIRST[severity])
    assert route.receiver.channels == (Channel.CHAT,), "PagerDuty escalates by its own policy"
    assert not route.receiver.hears_of_the_end


def test_maintenance_windows_are_those_of_the_runbook() -> None:
    minutes = practices.MAINTENANCE_WINDOW.count // 60
    weekly, monthly = routing.WINDOWS
    assert (weekly.weekday, weekly.start_minute, weekly.end_minute) == ("tuesday", 120, 120 + minutes)
    assert weekly.days_of_month is None
    assert (monthly.weekday, monthly.start_minute, monthly.end_minute) == ("sunday", 180, 180 + minutes)
    assert monthly.days_of_month == (1, 7), "the first Sunday is the one within the first seven days"


def test_a_worse_alert_silences_the_lesser_ones_of_its_name() -> None:
    pairs = {(rule.source, target) for rule in routing.INHIBITIONS for target in rule.targets}
    assert pairs == {(P1, P2), (P1, P3), (P1, P4), (P2, P3), (P2, P4), (P3, P4)}
    assert all(set(rule.equal) == {"alertname", "namespace"} for rule in routing.INHIBITIONS)
