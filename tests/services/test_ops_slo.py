"""``ops slo`` against a real Prometheus, and against one that misbehaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.running import slots
from tests.services import fake_http, prometheus_server, report_environment
from tests.services.fake_http import Fake, Page, as_json
from tests.services.ops_environment import Answer
from tests.services.report_environment import Desk, by_query, prometheus_answer
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

_GOOD = prometheus_answer(({"instance": "node-1"}, "0.001"))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, s3: Server) -> Iterator[Desk]:
    with report_environment.running(tmp_path_factory.mktemp("slo"), s3) as desk:
        yield desk


@pytest.fixture
def desk(started: Desk) -> Desk:
    started.reset()
    return started


@pytest.fixture
def fake(desk: Desk) -> Iterator[Fake]:
    with fake_http.serve() as server:
        server.pages |= by_query({}, _GOOD)
        desk.environment.configure(prometheus={"url": server.url})
        yield server
        desk.environment.configure(prometheus=None)


def _check(answer: Answer, name: str) -> dict[str, Any]:
    found = [check for check in answer.json["checks"] if check["name"] == name]
    assert len(found) == 1, answer.json
    return found[0]


class _Services:
    """The metrics page of all services and of a node; counters grow with each scrape."""

    def __init__(self) -> None:
        self.failing = False
        self.slow = False
        self.edge = "0.2"
        self.busy = False
        self.updated_at: float | None = None
        self.failed = self.answered = self.fast = self.slept = self.worked = 0.0
        self.looked = time.monotonic()

    def page(self, _: object) -> Page:
        self.answered += 10
        self.failed += 1 if self.failing else 0
        self.fast += 5 if self.slow else 10
        now = time.monotonic()
        idle = (now - self.looked) * (0.01 if self.busy else 0.9)
        self.slept += idle
        self.worked += now - self.looked - idle
        self.looked = now
        api, probe = 'handler="/api/prices",method="GET"', 'handler="/api/health",method="GET"'
        lines = [
            f'http_requests_total{{{api},status="200"}} {self.answered - self.failed}',
            f'http_request_duration_seconds_bucket{{{api},le="{self.edge}"}} {self.fast}',
            f'http_request_duration_seconds_bucket{{{api},le="0.5"}} {self.answered}',
            f'http_request_duration_seconds_bucket{{{api},le="+Inf"}} {self.answered}',
            # Probes that are many and fast: they must not make the rest look better.
            f'http_requests_total{{{probe},status="200"}} {self.answered * 1000}',
            f'http_request_duration_seconds_bucket{{{probe},le="{self.edge}"}} {self.answered * 1000}',
            f'http_request_duration_seconds_bucket{{{probe},le="0.5"}} {self.answered * 1000}',
            f'http_request_duration_seconds_bucket{{{probe},le="+Inf"}} {self.answered * 1000}',
            f'node_cpu_seconds_total{{cpu="0",mode="idle"}} {self.slept}',
            f'node_cpu_seconds_total{{cpu="0",mode="user"}} {self.worked}',
            "node_memory_MemTotal_bytes 1000",
            f"node_memory_MemAvailable_bytes {100 if self.busy else 700}",
        ]
        if self.failed:
            lines.append(f'http_requests_total{{{api},status="503"}} {self.failed}')
        if self.updated_at is not None:
            lines += [f"{name}_last_update_timestamp_seconds {self.updated_at}" for name in ("prices", "sentiment")]
        return Page("\n".join(lines) + "\n", kind="text/plain")


def _failing(desk: Desk) -> int:
    checks = desk.environment.ops("slo", "--json", "--no-notify").json["checks"]
    return sum(check["status"] == "fail" for check in checks)


def test_a_real_prometheus_is_judged_figure_by_figure(desk: Desk) -> None:
    services = _Services()
    services.updated_at = time.time()
    with fake_http.serve() as exporter:
        exporter.pages["/metrics"] = services.page
        target = {"api-gateway": (exporter.url.removeprefix("http://"), {"namespace": "crypto"})}
        with prometheus_server.prometheus(target) as url:
            desk.environment.configure(prometheus={"url": url})
            wait_until(lambda: len(exporter.asked) > 3, "some scrapes")
            good = desk.environment.ops("slo", "--json")
            assert desk.told == []
            services.failing = services.slow = services.busy = True
            services.updated_at = time.time() - 3600
            wait_until(lambda: _failing(desk) == 6, "the figures follow", 90)
            bad = desk.environment.ops("slo", "--json")
    desk.environment.configure(prometheus=None)

    assert good.code == 0, good.json
    assert {check["status"] for check in good.json["checks"]} == {"ok"}
    assert len(good.json["checks"]) == 6
    assert bad.code == 1
    assert {check["name"]: check["status"] for check in bad.json["checks"]} == dict.fromkeys(
        (check["name"] for check in good.json["checks"]), "fail"
    )
    assert bad.json["notified"] == [{"sink": "chat", "sent": True}]
    assert len(desk.told) == 1
    assert "fail    api latency p95" in desk.told[0]


def test_what_a_real_prometheus_does_not_have_is_unknown_and_not_fine(desk: Desk) -> None:
    services = _Services()
    services.edge = "0.1"
    with fake_http.serve() as exporter:
        exporter.pages["/metrics"] = services.page
        target = {"api-gateway": (exporter.url.removeprefix("http://"), {"namespace": "crypto"})}
        with prometheus_server.prometheus(target) as url:
            desk.environment.configure(prometheus={"url": url})
            wait_until(lambda: len(exporter.asked) > 3, "some scrapes")
            answer = desk.environment.ops("slo", "--json")
    desk.environment.configure(prometheus=None)

    assert answer.code == 1
    # Edges at 0.1 and 0.5 only: the percentile would be a guess.
    for name in ("api latency p95", "prices updated", "sentiment processed"):
        assert _check(answer, name)["status"] == "unknown"
    # No request has ever failed: that is no missing figure.
    assert _check(answer, "api error ratio")["value"] == "0.00%"


def test_requests_that_never_came_are_no_good_error_ratio(desk: Desk, fake: Fake) -> None:
    fake.pages |= by_query({"http_requests_total": prometheus_answer(({}, "NaN"))}, _GOOD)

    answer = desk.environment.ops("slo", "--json")

    assert answer.code == 1
    assert _check(answer, "api error ratio")["status"] == "unknown"
    assert _check(answer, "api error ratio")["detail"].startswith("no figure")


def test_a_query_that_fails_spoils_no_other(desk: Desk, fake: Fake) -> None:
    wrong = as_json({"status": "error", "errorType": "execution", "error": "too many samples"}, 422)
    fake.pages |= by_query({"node_memory": wrong, "machine_cpu": Page("<html>", 502, "text/html")}, _GOOD)

    answer = desk.environment.ops("slo", "--json")

    assert answer.code == 1
    assert "too many samples" in _check(answer, "node memory")["detail"]
    assert _check(answer, "node cpu")["status"] == "unknown"
    assert _check(answer, "api latency p95")["status"] == "ok"


def test_a_query_that_hangs_costs_its_own_deadline(desk: Desk, fake: Fake) -> None:
    never = threading.Event()
    slow = Page(_GOOD.body, hold=never)
    fake.pages |= by_query({"prices_last": slow}, _GOOD)
    try:
        answer = desk.environment.ops("slo", "--json", "--timeout", "6")
    finally:
        never.set()

    assert answer.code == 1
    assert _check(answer, "prices updated")["status"] == "unknown"
    assert _check(answer, "sentiment processed")["status"] == "ok"
    assert answer.json["took"] < 2 * 6


def test_a_query_whose_answer_trickles_past_its_deadline_is_unknown(desk: Desk, fake: Fake) -> None:
    fake.pages |= by_query({"prices_last": Page(_GOOD.body, pause=0.3)}, _GOOD)

    answer = desk.environment.ops("slo", "--json", "--timeout", "4")

    assert answer.code == 1
    assert _check(answer, "prices updated") | {"took": 4} == {
        "name": "prices updated",
        "status": "unknown",
        "detail": "no answer within 4 s",
        "took": 4,
    }


@pytest.mark.parametrize("page", [None, Page("gone", 503, "text/plain")], ids=["refused", "503"])
def test_a_prometheus_that_does_not_answer_is_temporary_and_people_hear_that_nobody_looked(
    desk: Desk, fake: Fake, page: Page | None
) -> None:
    if page is None:
        desk.environment.configure(prometheus={"url": f"http://127.0.0.1:{slots.free_port()}"})
    else:
        fake.pages["/api/v1/query"] = page

    answer = desk.environment.ops("slo", "--json")

    assert answer.code == 75
    assert "Prometheus at http://127.0.0.1" in answer.error
    assert len(desk.told) == 1
    assert "nobody could look" in desk.told[0]


def test_something_that_is_no_prometheus_is_said_so(desk: Desk, fake: Fake) -> None:
    fake.pages["/api/v1/query"] = Page("<html>Welcome</html>", kind="text/html")

    answer = desk.environment.ops("slo", "--json")

    assert answer.code == 1
    assert "that is no answer of Prometheus" in answer.error


def test_without_a_prometheus_in_the_settings_it_is_wrong_usage(desk: Desk) -> None:
    answer = desk.environment.ops("slo", "--json")

    assert answer.code == 2
    assert "prometheus.url" in answer.error


def test_a_chat_that_refuses_leaves_the_verdict_and_is_named(desk: Desk, fake: Fake) -> None:
    fake.pages |= by_query({"http_requests_total": prometheus_answer(({}, "0.2"))}, _GOOD)
    desk.hush(404)

    answer = desk.environment.ops("slo", "--json")

    assert answer.code == 1
    assert _check(answer, "api error ratio")["value"] == "20.00%"
    assert [told["sent"] for told in answer.json["notified"]] == [False]
    assert "Geheim" not in answer.stdout + answer.stderr


def test_nobody_is_told_when_that_is_asked_for_or_everything_is_fine(desk: Desk, fake: Fake) -> None:
    fine = desk.environment.ops("slo", "--json")
    fake.pages |= by_query({}, prometheus_answer())
    quiet = desk.environment.ops("slo", "--json", "--no-notify")

    assert (fine.code, quiet.code) == (0, 1)
    assert desk.told == []
