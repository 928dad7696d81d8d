"""``ops health`` against real servers, healthy, in trouble and gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.running import slots
from tests.services import ops_environment, servers
from tests.services.ops_environment import BUCKET, PREFIX, Answer, Environment, populate
from tests.services.quiet_http import QuietServer
from tests.services.servers import Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        populate(environment, users=10, prices=10)
        yield environment


@pytest.fixture
def environment(started: Environment) -> Environment:
    started.reset()
    return started


@contextmanager
def _service(code: int, hold: threading.Event | None = None) -> Generator[str]:
    """A health page that answers with ``code``, once ``hold`` is set; its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if hold is not None:
                hold.wait(30)
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing: the test's output is not the place."""

    server = QuietServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/health"
    finally:
        if hold is not None:
            hold.set()
        server.shutdown()
        server.server_close()


def _health(environment: Environment) -> Answer:
    """A report; how long a check may take is the subject of tests that say it."""
    return environment.ops("health", "--json", "--timeout", "60")


def _check(answer: Answer, name: str) -> dict[str, Any]:
    found = [check for check in answer.json["checks"] if check["name"] == name]
    assert len(found) == 1, answer.json
    return found[0]


def test_each_service_is_judged_by_its_own_page(environment: Environment) -> None:
    with _service(200) as good, _service(503) as bad:
        gone = f"http://127.0.0.1:{slots.free_port()}/health"
        targets = [{"name": name, "healthUrl": url} for name, url in (("good", good), ("bad", bad), ("gone", gone))]
        environment.configure(services=targets)
        try:
            answer = _health(environment)
        finally:
            environment.configure(services=[])

    assert answer.code == 1
    assert _check(answer, "service good")["status"] == "ok"
    assert _check(answer, "service bad")["value"] == "503"
    assert _check(answer, "service bad")["status"] == _check(answer, "service gone")["status"] == "fail"


def test_a_service_that_hangs_costs_its_own_deadline_and_no_more(environment: Environment) -> None:
    with _service(200, threading.Event()) as slow, _service(200) as good:
        environment.configure(
            services=[{"name": name, "healthUrl": url} for name, url in (("slow", slow), ("good", good))]
        )
        try:
            answer = environment.ops("health", "--json", "--timeout", "6")
        finally:
            environment.configure(services=[])

    assert answer.code == 1
    assert _check(answer, "service slow")["status"] == "fail"
    assert _check(answer, "service good")["status"] == "ok"
    assert answer.json["took"] < 2 * 6


def test_postgres_answers_and_its_connections_are_counted_against_the_limit(environment: Environment) -> None:
    answer = _health(environment)

    assert _check(answer, "postgres")["status"] == "ok"
    connections = _check(answer, "postgres connections")
    assert connections["status"] == "ok"
    assert connections["detail"].endswith(" of 100")
    assert connections["threshold"] == "< 80%"


def test_too_many_connections_fail(environment: Environment) -> None:
    with environment.connect() as first:
        used = first.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").fetchone()
        assert used is not None
        with ExitStack() as stack:
            for _ in range(81 - int(used[0])):
                stack.enter_context(environment.connect())
            answer = _health(environment)

    assert answer.code == 1
    assert _check(answer, "postgres connections")["status"] == "fail"


def test_redis_is_judged_by_its_memory_and_a_missing_limit_is_a_warning(environment: Environment) -> None:
    statuses: dict[str, str] = {}
    good = environment.settings["redis"]
    cases = {"roomy": ("--maxmemory", "1gb"), "full": ("--maxmemory", "1mb"), "without limit": ()}
    for name, options in cases.items():
        with servers.redis(*options) as redis:
            environment.configure(redis={"host": redis.host, "port": redis.port})
            try:
                statuses[name] = _check(_health(environment), "redis memory")["status"]
            finally:
                environment.configure(redis=good)

    assert statuses == {"roomy": "ok", "full": "fail", "without limit": "warn"}


def test_datastores_that_are_gone_fail_by_name(environment: Environment) -> None:
    good = environment.settings["postgres"]
    environment.configure(postgres={**good, "port": slots.free_port()})
    try:
        answer = environment.ops("health", "--json", "--timeout", "15")
    finally:
        environment.configure(postgres=good)

    assert answer.code == 1
    for name in ("postgres", "redis", "kafka"):
        assert _check(answer, name)["status"] == "fail"
        assert "refused" in _check(answer, name)["detail"]


def test_the_newest_backup_must_be_young_and_readable(environment: Environment) -> None:
    none = _health(environment)
    backup = environment.backup()
    young = _health(environment)
    manifest = environment.manifest(backup)
    environment.s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{backup}/manifest.json")
    moment = datetime.now(UTC) - timedelta(hours=26, minutes=1)
    old_id = f"{moment:%Y%m%dT%H%M%SZ}-00000001"
    content = json.dumps(manifest | {"id": old_id, "snapshotAt": moment.isoformat()}).encode()
    environment.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{old_id}/manifest.json", Body=content)
    old = _health(environment)
    environment.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}postgres/{old_id}/manifest.json", Body=b"{}")
    damaged = _health(environment)

    found = [_check(answer, "backup") for answer in (none, young, old, damaged)]
    assert [check["status"] for check in found] == ["warn", "ok", "fail", "fail"]
    assert found[0]["value"] == "no backup yet"
    assert found[1]["threshold"] == found[2]["threshold"] == "<= 26 h 0 min"
    assert "is damaged" in found[3]["detail"]


def test_without_a_cluster_the_reason_is_told_and_the_rest_is_still_checked(environment: Environment) -> None:
    answer = _health(environment)

    for name in ("kubernetes", "pods"):
        assert _check(answer, name)["status"] == "fail"
        assert "not inside a cluster, and there is no kubeconfig" in _check(answer, name)["detail"]
    assert _check(answer, "postgres")["status"] == "ok"


def test_people_get_a_table_with_every_finding(environment: Environment) -> None:
    data = _health(environment)
    people = environment.ops("health")

    assert people.code == data.code == 1
    assert data.json["checks"]
    for check in data.json["checks"]:
        assert any(line.startswith(check["name"]) for line in people.stdout.splitlines())
    assert "Traceback" not in people.stderr
