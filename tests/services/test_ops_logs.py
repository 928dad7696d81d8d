"""``ops logs`` against a Kubernetes API that serves logs, and a real S3 endpoint that keeps the last review."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.services import report_environment
from tests.services.fake_http import Asked, Fake, Page, as_json
from tests.services.ops_environment import BUCKET, PREFIX, finish
from tests.services.report_environment import Desk
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

_PODS = "/api/v1/namespaces/crypto/pods"
_MEMORY = "logs/latest.json"
_BEFORE = '{"at": "2026-11-01T00:00:00Z"}'


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, s3: Server) -> Iterator[Desk]:
    with report_environment.running(tmp_path_factory.mktemp("logs"), s3) as desk:
        yield desk


@pytest.fixture
def desk(started: Desk) -> Desk:
    """There was a review before, which saw nothing."""
    started.reset()
    started.environment.s3.put_object(Bucket=BUCKET, Key=PREFIX + _MEMORY, Body=_BEFORE.encode())
    return started


@pytest.fixture
def api(desk: Desk) -> Iterator[Fake]:
    with report_environment.kubernetes(desk.environment.folder) as fake:
        yield fake


def _serve(api: Fake, logs: dict[str, str | Page], restarted: tuple[str, ...] = ()) -> None:
    """Pods with one container each, and their logs."""
    pods: list[dict[str, Any]] = []
    for name in logs:
        last = {"terminated": {"exitCode": 1}} if name in restarted else {}
        state: dict[str, Any] = {"name": "app", "state": {"running": {}}, "lastState": last}
        metadata = {"name": name, "labels": {"app": name.partition("-")[0]}}
        pods.append({"metadata": metadata, "status": {"containerStatuses": [state]}})
    api.pages[_PODS] = as_json({"metadata": {}, "items": pods})
    for name, content in logs.items():
        page = content if isinstance(content, Page) else Page(content, kind="text/plain")
        api.pages[f"{_PODS}/{name}/log"] = page


def _line(message: str, level: str = "ERROR") -> str:
    return f"2026-11-23T17:00:00.000000000Z {json.dumps({'level': level, 'message': message})}\n"


def test_a_new_error_fails_and_the_next_review_knows_it(desk: Desk, api: Fake) -> None:
    lines = "".join(_line(f"user {number} not found") for number in range(50)) + _line("all well", "INFO")
    _serve(api, {"users-1": lines, "users-2": _line("user 7 not found")})

    first = desk.environment.ops("logs", "--json")
    second = desk.environment.ops("logs", "--json")
    _serve(api, {"users-1": lines + _line("disk is full", "CRITICAL")})
    third = desk.environment.ops("logs", "--json")

    assert (first.code, second.code, third.code) == (1, 0, 1)
    [group] = first.json["patterns"]
    assert (group["pattern"], group["count"], group["service"]) == ("user <n> not found", 51, "users")
    assert group["pods"] == ["users-1", "users-2"]
    assert [(entry["pattern"], entry["new"]) for entry in third.json["patterns"]] == [
        ("disk is full", True),
        ("user <n> not found", False),
    ]
    assert (first.json["compared_with"], third.json["new"]) == ("2026-11-01T00:00:00+00:00", 1)
    assert len(desk.told) == 2
    assert "CRITICAL users (1x): disk is full" in desk.told[1]


def test_the_first_review_tells_what_there_is_and_nothing_is_new_to_it(desk: Desk, api: Fake) -> None:
    desk.environment.s3.delete_object(Bucket=BUCKET, Key=PREFIX + _MEMORY)
    _serve(api, {"api-1": _line("boom")})
    first = desk.environment.ops("logs", "--json")
    _serve(api, {"api-1": _line("boom") + _line("bang")})
    second = desk.environment.ops("logs", "--json")

    assert [(answer.code, answer.json["first"]) for answer in (first, second)] == [(0, True), (1, False)]
    assert "logs: first review, 1 error`*" in desk.told[0]
    assert "ERROR api (1x): boom" in desk.told[0]
    assert "logs: 1 new error`*" in desk.told[1]


def test_since_is_what_the_api_is_asked_for(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": ""})

    desk.environment.ops("logs", "--json", "--since", "1h30m")

    [asked] = [request for request in api.asked if request.path.endswith("/log")]
    assert (asked.query["sinceSeconds"], asked.query["timestamps"]) == ("5400", "true")


def test_a_dry_run_tells_nobody_and_forgets(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": _line("boom")})

    answers = [desk.environment.ops("logs", "--json", "--dry-run") for _ in range(2)]

    assert [answer.code for answer in answers] == [1, 1]
    assert desk.told == []
    assert desk.object(_MEMORY) == _BEFORE


def test_the_run_before_a_restart_is_read_too(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": ""}, restarted=("api-1",))

    def log(request: Asked) -> Page:
        return Page(_line("out of memory", "CRITICAL") if "previous" in request.query else "", kind="text/plain")

    api.pages[f"{_PODS}/api-1/log"] = log
    answer = desk.environment.ops("logs", "--json")

    assert [group["pattern"] for group in answer.json["patterns"]] == ["out of memory"]


@pytest.mark.parametrize(
    "broken",
    [Page("", 500), Page(_line("half"), kind="text/plain", cut=True)],
    ids=["refused", "cut in the middle"],
)
def test_a_log_that_cannot_be_read_is_named_and_the_others_are_still_read(desk: Desk, api: Fake, broken: Page) -> None:
    _serve(api, {"api-1": _line("half"), "api-2": ""})
    desk.environment.ops("logs", "--json")
    _serve(api, {"api-1": broken, "api-2": _line("half")})

    answer = desk.environment.ops("logs", "--json")

    # Nothing new, but not everything was looked at: that is not done.
    assert answer.code == 75
    assert [line.partition(":")[0] for line in answer.json["unread"]] == ["api-1/app"]
    assert "api-2" in answer.json["patterns"][0]["pods"]


def test_secrets_stay_out_of_result_chat_and_bucket(desk: Desk, api: Fake) -> None:
    secrets = ("hunter2", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl")
    _serve(api, {"api-1": "".join(_line(f"login password={secret} or token {secret} refused") for secret in secrets)})
    _serve(
        api,
        {
            "api-1": _line(f"DATABASE_PASSWORD={secrets[0]} refused") + _line(f"got {secrets[1]} from it"),
        },
    )

    answer = desk.environment.ops("logs", "--json")

    assert len(answer.json["patterns"]) == 2
    written = answer.stdout + answer.stderr + desk.told[0] + desk.object(_MEMORY)
    assert "refused" in written
    assert not [secret for secret in secrets if secret in written]


def test_what_nobody_heard_of_is_new_again(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": _line("boom")})
    desk.hush(404)

    deaf = desk.environment.ops("logs", "--json")
    desk.hush()
    heard = desk.environment.ops("logs", "--json")

    assert (deaf.code, heard.code) == (1, 1)
    assert [told["sent"] for told in deaf.json["notified"] + heard.json["notified"]] == [False, True]
    assert desk.environment.ops("logs", "--json").code == 0


def test_a_review_killed_while_it_reads_has_changed_nothing(desk: Desk, api: Fake) -> None:
    never = threading.Event()
    _serve(api, {"api-1": _line("boom"), "api-2": Page("", kind="text/plain", hold=never)})
    process = desk.environment.start("logs", "--json")
    wait_until(lambda: any(request.path.endswith("api-2/log") for request in api.asked), "it reads")
    process.send_signal(signal.SIGKILL)
    assert finish(process).code == -signal.SIGKILL
    never.set()

    assert desk.told == []
    assert desk.object(_MEMORY) == _BEFORE
    assert desk.environment.ops("logs", "--json").code == 1


def test_the_deadline_ends_a_review_that_hangs(desk: Desk, api: Fake) -> None:
    never = threading.Event()
    _serve(api, {"api-1": Page("", kind="text/plain", hold=never)})
    try:
        answer = desk.environment.ops("logs", "--json", "--deadline", "2")
    finally:
        never.set()

    assert answer.code == 75
    assert "the deadline of 2 s has passed" in answer.json["error"]


def test_two_reviews_at_once_lose_no_pattern(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": _line("one thing")})
    processes = [desk.environment.start("logs", "--json") for _ in range(3)]
    _serve(api, {"api-1": _line("one thing"), "api-2": _line("another thing")})
    processes += [desk.environment.start("logs", "--json") for _ in range(2)]
    assert {finish(process).code for process in processes} <= {0, 1}

    patterns = json.loads(desk.object(_MEMORY))["patterns"].values()

    assert {seen["pattern"] for seen in patterns} == {"one thing", "another thing"}


def test_an_old_pattern_is_new_again_and_a_damaged_memory_hides_nothing(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": _line("boom")})
    desk.environment.ops("logs", "--json")
    kept = json.loads(desk.object(_MEMORY))
    for seen in kept["patterns"].values():
        seen["first"] = seen["last"] = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    s3 = desk.environment.s3
    s3.put_object(Bucket=BUCKET, Key=PREFIX + _MEMORY, Body=json.dumps(kept).encode())
    _serve(api, {"api-1": ""})
    desk.environment.ops("logs", "--json")
    _serve(api, {"api-1": _line("boom")})
    old = desk.environment.ops("logs", "--json")
    s3.put_object(Bucket=BUCKET, Key=PREFIX + _MEMORY, Body=b"{half")
    damaged = desk.environment.ops("logs", "--json")

    assert (old.code, damaged.code) == (1, 1)
    assert "cannot be read" in damaged.stderr


def test_without_permission_it_is_wrong_configuration(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": Page("{}", 403)})

    answer = desk.environment.ops("logs", "--json")

    assert answer.code == 2
    assert "not permitted to read" in answer.error


def test_people_see_new_ones_marked_and_a_summary(desk: Desk, api: Fake) -> None:
    _serve(api, {"api-1": _line("order 17 failed")})

    answer = desk.environment.ops("logs", "--no-notify")

    assert "new  ERROR    api 1x  order <n> failed" in answer.stdout
    assert "1 patterns, 1 of them new, in 1 lines" in answer.stdout
    assert desk.told == []
