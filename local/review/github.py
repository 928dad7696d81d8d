"""The calls of GitHub's API that a verdict on a pull request needs, about the run that the workflow's event names."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx

from local.errors import LocalError
from local.review.artifact import MOST_BYTES, ArtifactError

API: Final = "https://api.github.com"
_NEEDED: Final = {
    "GITHUB_TOKEN": "the job's token",
    "GITHUB_REPOSITORY": "owner/name",
    "GITHUB_EVENT_PATH": "the event `workflow_run` as a file",
}
_PAGE: Final = 100
_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """The run of a pull request's own workflow. GitHub says what it was of; what it left is the pull request's word."""

    number: int
    commit: str
    owner: str
    branch: str
    target: str
    """The default branch, by which pull requests are judged."""


@dataclass(frozen=True, slots=True)
class GitHub:
    """A repository, and the run that the verdict is about."""

    client: httpx.Client
    repository: str
    run: Run

    def artifact(self, name: str) -> bytes | None:
        """The archive that the run left under this name; None where it left none.

        Raises:
            ArtifactError: it is larger than allowed.
        """
        path = f"/repos/{self.repository}/actions/runs/{self.run.number}/artifacts"
        found = cast("list[dict[str, Any]]", self._get(path, name=name)["artifacts"])
        # Each attempt of a run leaves one.
        newest = max((int(each["id"]) for each in found if not each["expired"]), default=None)
        if newest is None:
            return None
        received = bytearray()
        with self.client.stream(
            "GET", f"/repos/{self.repository}/actions/artifacts/{newest}/zip", follow_redirects=True
        ) as answer:
            answer.raise_for_status()
            for part in answer.iter_raw():
                received += part
                if len(received) > MOST_BYTES:
                    raise ArtifactError(f"the artifact {name} is larger than the allowed {MOST_BYTES} bytes")
        return bytes(received)

    def pull_request(self) -> int | None:
        """The open pull request whose newest commit the run was of; None where it has moved on, or is closed."""
        run = self.run
        found = self._pages(
            f"/repos/{self.repository}/pulls", state="open", head=f"{run.owner}:{run.branch}", base=run.target
        )
        return next((int(each["number"]) for each in found if each["head"]["sha"] == run.commit), None)

    def changed_files(self, pull_request: int) -> list[str]:
        """The files that a pull request adds, changes, removes or moves, under their old and new names."""
        found = self._pages(f"/repos/{self.repository}/pulls/{pull_request}/files")
        names = [(str(each["filename"]), each.get("previous_filename")) for each in found]
        return sorted({str(name) for pair in names for name in pair if name})

    def comments(self, pull_request: int) -> Iterator[dict[str, Any]]:
        """The comments under a pull request, oldest first."""
        return self._pages(f"/repos/{self.repository}/issues/{pull_request}/comments")

    def write(self, method: str, path: str, content: Mapping[str, str]) -> None:
        """Sends JSON to a path below the repository."""
        self.client.request(method, f"/repos/{self.repository}{path}", json=content).raise_for_status()

    def _pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            entries = cast("list[dict[str, Any]]", self._get(path, per_page=_PAGE, page=page, **query))
            yield from entries
            if len(entries) < _PAGE:
                return
            page += 1

    def _get(self, path: str, **query: str | int) -> Any:
        answer = self.client.get(path, params=query)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def github(variables: Mapping[str, str] | None = None) -> Generator[GitHub]:
    """The repository and the run that a job's variables name.

    Raises:
        LocalError: a variable is missing, or GitHub refused; neither message holds the token.
    """
    given = os.environ if variables is None else variables
    missing = [f"{name} ({meaning})" for name, meaning in _NEEDED.items() if not given.get(name)]
    if missing:
        raise LocalError(f"a verdict is made in a workflow after the preview's; set {', '.join(missing)}")
    headers = {"Authorization": f"Bearer {given['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"}
    base = given.get("GITHUB_API_URL", API)
    try:
        with httpx.Client(base_url=base, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            yield GitHub(client, given["GITHUB_REPOSITORY"], _run(Path(given["GITHUB_EVENT_PATH"])))
    except httpx.HTTPStatusError as error:
        raise LocalError(f"GitHub answered {error.response.status_code} to {error.request.url.path}") from None
    except httpx.HTTPError as error:
        raise LocalError(f"GitHub at {base} cannot be reached: {type(error).__name__}") from None


def _run(event: Path) -> Run:
    content = cast("dict[str, Any]", json.loads(event.read_text()))
    try:
        run = content["workflow_run"]
        # The repository of a pull request's branch may be gone; then no pull request is open from it.
        owner = str((run["head_repository"] or {"owner": {"login": ""}})["owner"]["login"])
        branch = str(content["repository"]["default_branch"])
        return Run(int(run["id"]), str(run["head_sha"]), owner, str(run["head_branch"]), branch)
    except (KeyError, TypeError) as error:
        raise LocalError(f"{event} is no event `workflow_run`: {error}") from None
