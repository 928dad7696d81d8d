"""A stand-in for GitHub's API, with the calls that a verdict on a pull request makes."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.review.publishing import AUTHOR

TOKEN = "t0ken"
HEAD = "c0ffee"
BOT = {"login": AUTHOR, "type": "Bot"}
PERSON = {"login": "mallory", "type": "User"}


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """What a run's artifact comes as."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return packed.getvalue()


def written(body: str, user: dict[str, str]) -> dict[str, Any]:
    """A comment."""
    return {"body": body, "user": user}


class CodeHost(ThreadingHTTPServer):
    """The repository a/b with the pull request 7 of a fork. ``storage`` is where artifacts lie: another host."""

    def __init__(self, storage: CodeHost | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.storage = storage
        self.artifact: bytes | None = None
        self.files: list[dict[str, str]] = []
        self.pull_requests = [{"number": 7, "head": {"sha": HEAD}}]
        self.comments: list[dict[str, Any]] = []
        self.statuses: list[tuple[str, dict[str, str]]] = []
        self.calls: list[tuple[str, str, str | None]] = []
        self.refuse = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def bodies(self) -> list[str]:
        """What the comments say."""
        return [comment["body"] for comment in self.comments]

    def variables(self, folder: Path) -> dict[str, str]:
        """What GitHub sets for a job after the run 5 of the pull request's workflow."""
        event = folder / "event.json"
        run = {"id": 5, "head_sha": HEAD, "head_branch": "a&b", "head_repository": {"owner": {"login": "mallory"}}}
        event.write_text(json.dumps({"workflow_run": run, "repository": {"default_branch": "main"}}))
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_REPOSITORY": "a/b",
            "GITHUB_RUN_ID": "9",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_TOKEN": TOKEN,
        }


class _Handler(BaseHTTPRequestHandler):
    server: CodeHost  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/archive":
            self._answer(self.server.artifact)
        elif path.endswith("/artifacts/31/zip"):
            assert self.server.storage is not None
            self._answer(b"", 302, f"{self.server.storage.url}/archive")
        elif path == "/repos/a/b/actions/runs/5/artifacts":
            assert query["name"] == ["preview"]
            there = self.server.storage is not None and self.server.storage.artifact is not None
            self._answer({"artifacts": [{"id": each, "expired": False} for each in (30, 31)] if there else []})
        else:
            page = int(query["page"][0])
            self._answer(self._listed(path, query)[(page - 1) * 100 : page * 100])

    def _listed(self, path: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        if path == "/repos/a/b/pulls":
            asked = (query["state"], query["head"], query["base"])
            return self.server.pull_requests if asked == (["open"], ["mallory:a&b"], ["main"]) else []
        return {"/repos/a/b/issues/7/comments": self.server.comments, "/repos/a/b/pulls/7/files": self.server.files}[
            path
        ]

    def do_POST(self) -> None:
        if self.path.startswith("/repos/a/b/statuses/"):
            self.server.statuses.append((self.path.rpartition("/")[2], self._content()))
        else:
            assert self.path == "/repos/a/b/issues/7/comments"
            self.server.comments.append({"id": len(self.server.comments), **self._content(), "user": BOT})
        self._answer({})

    def do_PATCH(self) -> None:
        assert self.path.startswith("/repos/a/b/issues/comments/")
        self.server.comments[int(self.path.rpartition("/")[2])] |= self._content()
        self._answer({})

    def _content(self) -> dict[str, str]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, content: Any, status: int = 200, location: str = "") -> None:
        self.server.calls.append((self.command, self.path, self.headers["Authorization"]))
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(403 if self.server.refuse else status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        del format, args


@contextmanager
def running(server: CodeHost) -> Generator[CodeHost]:
    """Answers until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
