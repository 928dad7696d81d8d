"""The HTTP side of the sample service, spoken to over real sockets."""

import http.client
import json
import threading
from collections.abc import Iterator

import pytest
from prometheus_client import generate_latest

from local.sample_service.errors import DependencyError
from local.sample_service.log import Log
from local.sample_service.metrics import registry
from local.sample_service.server import Request, Response, Router, Server


class _Running:
    def __init__(self) -> None:
        self.registry = registry()
        self.entered = threading.Event()
        self.may_end = threading.Event()
        router = Router()
        router.add("GET", "/things/{name}", lambda request: Response({"name": request.params["name"]}))
        router.add("GET", "/broken", self._broken)
        router.add("GET", "/down", self._down)
        router.add("GET", "/slow", self._slow)
        router.add("POST", "/echo", lambda request: Response(request.json()))
        router.add(
            "GET",
            "/metrics",
            lambda _request: Response(generate_latest(self.registry).decode(), content_type="text/plain"),
            quiet=True,
        )
        self.server = Server(0, router, self.registry, Log("test"), lambda: None)
        self.server.start()

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())
        finally:
            connection.close()

    def _broken(self, _request: Request) -> Response:
        raise RuntimeError("a bug")

    def _down(self, _request: Request) -> Response:
        raise DependencyError("redis", "refused")

    def _slow(self, _request: Request) -> Response:
        self.entered.set()
        self.may_end.wait(10)
        return Response({"done": True})


@pytest.fixture
def running() -> Iterator[_Running]:
    service = _Running()
    yield service
    service.may_end.set()
    service.server.end(5)


def test_every_answer_tells_its_time(running: _Running) -> None:
    status, body, headers = running.ask("GET", "/things/one")
    assert (status, json.loads(body)) == (200, {"name": "one"})
    assert 0 <= float(headers["X-Process-Time"]) < 10


def test_requests_are_counted_under_the_route_and_not_under_the_path(running: _Running) -> None:
    for name in ("a", "b", "c"):
        running.ask("GET", f"/things/{name}")
    running.ask("GET", "/wp-login.php")
    metrics = running.ask("GET", "/metrics")[1].splitlines()
    assert 'http_requests_total{handler="/things/{name}",method="GET",status="200"} 3.0' in metrics
    assert 'http_requests_total{handler="unmatched",method="GET",status="404"} 1.0' in metrics
    assert 'http_request_duration_seconds_count{handler="/things/{name}",method="GET"} 3.0' in metrics


def test_a_bug_is_answered_with_500_and_tells_the_caller_nothing(
    running: _Running, capfd: pytest.CaptureFixture[str]
) -> None:
    status, body, _ = running.ask("GET", "/broken")
    assert (status, json.loads(body)) == (500, {"error": "internal error"})
    assert "RuntimeError: a bug" in capfd.readouterr().out


def test_a_dependency_that_is_down_is_answered_with_503(running: _Running) -> None:
    assert running.ask("GET", "/down")[0] == 503


def test_a_broken_body_is_answered_with_400(running: _Running) -> None:
    assert running.ask("POST", "/echo", "{")[0] == 400
    assert running.ask("POST", "/echo", '{"a": 1}')[:2] == (200, '{"a": 1}')


def test_a_body_that_is_too_large_is_refused_unread(running: _Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=10)
    connection.putrequest("POST", "/echo")
    connection.putheader("Content-Length", "99999999")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_the_end_waits_for_the_running_request_and_accepts_no_other(running: _Running) -> None:
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(running.ask("GET", "/slow")[0]))
    client.start()
    assert running.entered.wait(10)
    assert running.server.end(0.05) is False
    with pytest.raises(OSError, match="refused"):
        running.ask("GET", "/things/late")
    running.may_end.set()
    client.join(10)
    assert answers == [200]
