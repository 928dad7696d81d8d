"""What the health check adds to its first slice: claims, targets, certificates, and what has changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook import practices
from runbook.ops_settings import OpsSettings
from scripts.clients.prometheus import Target
from scripts.health import backups, certificates, claims, history, report, targets, trend
from scripts.health.history import Point
from scripts.health.model import Finding, Result, Status
from tests.unit.ops_settings import settings

_NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_SETTINGS: OpsSettings = settings()


def _claim(name: str, phase: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"phase": phase}}


def test_a_claim_that_is_not_bound_fails_by_name() -> None:
    finding = claims.judge([_claim("data-postgres-0", "Bound"), _claim("data-redis-0", "Lost")])

    assert (finding.status, finding.value, finding.detail) == (Status.FAIL, "1 of 2 bound", "data-redis-0: Lost")
    assert claims.judge([_claim("x", "Bound")]).status is Status.OK
    assert claims.judge([]).status is Status.UNKNOWN


def _target(name: str, health: str = "up", namespace: str = "crypto") -> Target:
    return Target(name, "10.0.0.1:80", namespace, health, "connection refused" if health == "down" else "")


def test_targets_that_are_down_fail_by_name() -> None:
    finding = targets.judge("crypto", [_target("api"), _target("redis", "down")])

    assert (finding.status, finding.value) == (Status.FAIL, "1 of 2 up")
    assert finding.detail == "redis/10.0.0.1:80 down connection refused"


def test_targets_of_others_only_warn_and_none_of_our_own_fails() -> None:
    others = _target("node", "down", "monitoring")

    assert targets.judge("crypto", [_target("api"), others]).status is Status.WARN
    assert targets.judge("crypto", [others]).status is Status.FAIL
    assert targets.judge("crypto", []).status is Status.FAIL
    assert targets.judge("crypto", [_target("api")]).status is Status.OK


def test_a_target_that_was_not_scraped_yet_is_a_warning_and_nothing_else_than_such_is_unknown() -> None:
    new = _target("new", "unknown")
    finding = targets.judge("crypto", [_target("api"), new])

    assert (finding.status, finding.value) == (Status.WARN, "1 of 2 up")
    assert finding.detail == "new/10.0.0.1:80 not scraped yet"
    assert targets.judge("crypto", [new]).status is Status.UNKNOWN
    down = targets.judge("crypto", [new, _target("api"), _target("redis", "down")])
    assert down.status is Status.FAIL
    assert down.detail.startswith("redis/10.0.0.1:80 down")
    assert targets.judge("crypto", [_target("api"), _target("odd", "sideways")]).status is Status.FAIL


def _certificate(days: float, *, ready: str = "True", renewal: float | None = None) -> dict[str, Any]:
    def moment(after: float) -> str:
        return (_NOW + timedelta(days=after)).strftime("%Y-%m-%dT%H:%M:%SZ")

    status: dict[str, Any] = {
        "notAfter": moment(days),
        "conditions": [{"type": "Ready", "status": ready, "message": "issuer is gone"}],
    }
    if renewal is not None:
        status["renewalTime"] = moment(renewal)
    return {"metadata": {"name": "tls"}, "status": status}


def _status(certificate: dict[str, Any]) -> Status:
    [finding] = certificates.judge([certificate], _NOW)
    return finding.status


def test_a_certificate_fails_below_the_warning_and_is_fine_at_it() -> None:
    limit = practices.CERTIFICATE_WARNING.value

    assert _status(_certificate(limit)) is Status.OK
    assert _status(_certificate(limit - 0.001)) is Status.FAIL
    [expired] = certificates.judge([_certificate(-2)], _NOW)
    assert (expired.status, expired.value) == (Status.FAIL, "expired 2.0 days ago")


def test_a_certificate_that_is_not_issued_or_not_renewed_is_said_so() -> None:
    [broken] = certificates.judge([_certificate(80, ready="False")], _NOW)
    [nothing] = certificates.judge([{"metadata": {"name": "tls"}}], _NOW)
    [late] = certificates.judge([_certificate(28, renewal=-1.5)], _NOW)

    assert (broken.status, broken.detail) == (Status.FAIL, "issuer is gone")
    assert (nothing.status, nothing.value) == (Status.FAIL, "not issued")
    assert late.status is Status.WARN
    assert "renewal is due" in late.detail
    assert _status(_certificate(28, renewal=-0.5)) is Status.OK
    assert [finding.status for finding in certificates.judge([], _NOW)] == [Status.UNKNOWN]


def _results(**statuses: Status) -> list[Result]:
    return [Result(Finding(name, status, f"value of {name}", "limit"), 0.1) for name, status in statuses.items()]


def test_changes_name_what_is_worse_first_and_leave_out_what_is_not_news() -> None:
    last = history.updated(
        None, _results(same=Status.FAIL, better=Status.FAIL, worse=Status.OK, gone=Status.OK, lost=Status.WARN), _NOW
    )
    now = _results(
        same=Status.FAIL,
        better=Status.OK,
        worse=Status.WARN,
        lost=Status.UNKNOWN,
        new=Status.OK,
        new_bad=Status.FAIL,
    )

    found = [(change.name, change.direction) for change in history.changes(last, now)]

    assert found == [
        ("worse", "worse"),
        ("lost", "worse"),
        ("new_bad", "worse"),
        ("gone", "worse"),
        ("better", "better"),
    ]
    assert history.changes(None, now) == []


def test_since_when_a_check_stands_is_kept_until_it_changes() -> None:
    hour = timedelta(hours=1)
    first = history.updated(None, _results(a=Status.FAIL, b=Status.FAIL), _NOW)
    second = history.updated(first, _results(a=Status.FAIL, b=Status.OK), _NOW + hour)
    again = history.parse(second.model_dump_json(), "x")

    assert again is not None
    assert (again.checks["a"].since, again.checks["b"].since, again.at) == (_NOW, _NOW + hour, _NOW + hour)


@pytest.mark.parametrize("text", ["{", "[]", '{"at": 1, "checks": {"a": 5}}'])
def test_a_damaged_last_result_is_none(text: str) -> None:
    assert history.parse(text, "x") is None


def test_a_report_begins_with_what_changed_and_has_everything() -> None:
    last = history.updated(None, _results(redis=Status.OK, kafka=Status.FAIL, api=Status.OK), _NOW)

    message = report.compose(
        _SETTINGS, _results(redis=Status.FAIL, kafka=Status.FAIL, api=Status.OK), last, _NOW + timedelta(days=1)
    )

    assert message.subject == "[crypto] health: fail (1 worse)"
    lines = message.text.splitlines()
    assert lines[:3] == [
        "Changed since 2026-03-02 08:00 UTC:",
        "worse   redis: ok -> fail value of redis",
        "",
    ]
    assert lines[3] == "All checks:"
    assert lines[5] == "fail    kafka: value of kafka (must be limit) [since 2026-03-02 08:00] xx"
    assert lines[6] == "ok      api: value of api (must be limit) .."


def test_a_first_report_and_a_quiet_one_say_so() -> None:
    results = _results(redis=Status.OK)
    last = history.updated(None, results, _NOW)

    assert report.compose(_SETTINGS, results, None, _NOW).text.startswith("This is the first report.")
    quiet = report.compose(_SETTINGS, results, last, _NOW + timedelta(days=1))
    assert quiet.text.startswith("Nothing has changed since 2026-03-02 08:00 UTC.")
    assert quiet.subject == "[crypto] health: ok"


def _points(*values: str, status: Status = Status.OK) -> list[Point]:
    return [Point(status=status, value=value) for value in values]


def test_a_trend_is_bars_of_figures_and_else_marks_of_each_status() -> None:
    assert trend.text(_points("10%", "45%", "80%")) == "▁▅█"
    assert trend.text(_points("5%", "5%")) == "▁▁"
    assert trend.text(_points("answers at h:1", "answers at h:1")) == ".."
    mixed = [*_points("2 of 2 ready"), *_points("", status=Status.FAIL), *_points("", status=Status.UNKNOWN)]
    assert trend.text(mixed) == ".x?"
    assert trend.text(_points("10%")) == ""


def test_the_report_keeps_the_points_of_two_weeks_and_shows_them_in_text_and_html() -> None:
    def results(day: int) -> list[Result]:
        return [
            Result(Finding("volume data-postgres-0", Status.OK, f"{30 + day}%", "< 80%", "<b>free</b>"), 0.1),
            Result(Finding("pods", Status.OK if day < 19 else Status.FAIL, "2 of 2 ready"), 0.1),
        ]

    last = history.updated(None, results(0), _NOW)
    for day in range(1, 19):
        last = history.updated(last, results(day), _NOW + timedelta(days=day))
    message = report.compose(_SETTINGS, results(19), last, _NOW + timedelta(days=19))

    assert len(last.checks["pods"].points) == history.TREND_REPORTS == 14
    assert "volume data-postgres-0: 49% (must be < 80%) <b>free</b> ▁▂▂▃▃▄▄▅▅▆▆▇▇█" in message.text
    html = message.html or ""
    assert html.index("worse   pods") < html.index("<table")
    assert html.count("▁</span>") == 1
    assert "<b>free</b>" not in html, "what a check says is text, not HTML"
    assert "&lt;b&gt;free" in html


def test_only_a_proven_backup_counts_as_one_that_comes_back() -> None:
    limit = practices.PROOF_AGE.value

    assert backups.judge("x", limit, practices.PROOF_AGE, "").status is Status.OK
    assert backups.judge("x", limit + 1, practices.PROOF_AGE, "").status is Status.FAIL
    assert backups.unproven("x", limit).status is Status.WARN
    assert backups.unproven("x", limit + 1).status is Status.FAIL
