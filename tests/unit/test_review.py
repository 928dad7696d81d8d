"""What a pull request is told: one comment, found again by its marker, without a token in any message."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.errors import LocalError
from local.pull_request import publish
from local.review import MARKER, Reviewed, comment, operations
from policies.catalogue import ALL
from policies.checking import check
from policies.configuring.configuration import Configuration
from policies.sources.source import EngineSource
from policies.waiving.applying import Ledger
from policies.waiving.reading import Waivers
from tests.policies.stack import Stack, good_stack


class GitHub(ThreadingHTTPServer):
    """The calls of GitHub's API that write a comment."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.comments: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.refuse = False


class _Handler(BaseHTTPRequestHandler):
    server: GitHub  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        page = int(self.path.rpartition("page=")[2])
        self._answer(self.server.comments[(page - 1) * 100 : page * 100])

    def do_POST(self) -> None:
        self.server.comments.append({"id": len(self.server.comments), "body": self._body(), "html_url": "new"})
        self._answer(self.server.comments[-1])

    def do_PATCH(self) -> None:
        ours = self.server.comments[int(self.path.rpartition("/")[2])]
        ours |= {"body": self._body(), "html_url": "same"}
        self._answer(ours)

    def _body(self) -> str:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]

    def _answer(self, content: Any) -> None:
        self.server.calls.append(f"{self.command} {self.headers['Authorization']}")
        body = json.dumps(content).encode()
        self.send_response(403 if self.server.refuse else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        del format, args


@pytest.fixture
def api() -> Iterator[GitHub]:
    server = GitHub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def variables(api: GitHub) -> dict[str, str]:
    url = f"http://127.0.0.1:{api.server_address[1]}"
    return {"GITHUB_TOKEN": "t0ken", "GITHUB_REPOSITORY": "a/b", "PULL_REQUEST": "7", "GITHUB_API_URL": url}


def test_there_is_one_comment_however_often_it_is_written(api: GitHub) -> None:
    api.comments += [{"id": number, "body": f"chat {MARKER}", "html_url": "x"} for number in range(150)]
    assert publish(f"{MARKER}\nfirst", variables(api)) == "new"
    assert publish(f"{MARKER}\nsecond", variables(api)) == "same"
    ours = [each["body"] for each in api.comments if each["body"].startswith(MARKER)]
    assert ours == [f"{MARKER}\nsecond"]
    assert {call.partition(" ")[2] for call in api.calls} == {"Bearer t0ken"}


def test_a_refusal_is_one_line_without_the_token(api: GitHub) -> None:
    api.refuse = True
    with pytest.raises(LocalError, match="GitHub answered 403") as caught:
        publish("text", variables(api))
    assert "t0ken" not in str(caught.value)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(LocalError, match=r"PULL_REQUEST \(the pull request's number\)"):
        publish("text", {"GITHUB_TOKEN": "t0ken", "GITHUB_REPOSITORY": "a/b"})


def test_a_server_that_is_not_there_is_one_line(api: GitHub) -> None:
    nowhere = {**variables(api), "GITHUB_API_URL": "http://127.0.0.1:9"}
    with pytest.raises(LocalError, match="cannot be reached: ConnectError"):
        publish("text", nowhere)


def reviewed(stack: Stack) -> Reviewed:
    result = check(EngineSource(stack.resources()), ALL, Configuration(), Ledger(Waivers()))
    return Reviewed("prod", Counter(create=3, same=1), result)


def test_the_comment_says_stack_steps_and_every_violation() -> None:
    good = comment([reviewed(good_stack())])
    assert good.startswith(MARKER)
    assert "### ✅ prod" in good
    assert "3 create, 1 same" in good
    bad = good_stack().with_value("analytics-hpa", "spec.maxReplicas", 9)
    text = comment([reviewed(bad)])
    assert "### ❌ prod" in text
    assert "| ❌ | [hpa-range](docs/policies.md#hpa-range) | HorizontalPodAutoscaler analytics |" in text


def test_a_name_cannot_break_out_of_its_cell_or_call_somebody() -> None:
    odd = "a|b <img src=x> @everyone [x](y)\n## head"
    bad = good_stack().with_value("analytics-hpa", "spec.maxReplicas", 9)
    lines = comment([reviewed(bad.with_value("analytics-hpa", "metadata.name", odd))]).splitlines()
    (row,) = (line for line in lines if "hpa-range" in line)
    assert "a\\|b &lt;img src=x> @\u200beveryone \\[x\\](y) \\#\\# head" in row


def test_a_preview_that_did_not_run_is_no_success() -> None:
    broken = Reviewed("local", Counter(), None, "the preview ended with exit code 1")
    assert not broken.well
    assert "### ❌ local: the preview ended with exit code 1" in comment([broken])


def test_steps_are_counted_from_the_log(tmp_path: Path) -> None:
    log = tmp_path / "events.json"
    step = {"resourcePreEvent": {"metadata": {"op": "create"}}}
    log.write_text("\n".join(map(json.dumps, [{"preludeEvent": {}}, step, step])))
    assert operations(log) == Counter(create=2)
