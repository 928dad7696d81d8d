"""`make publish-verdict`: the verdict as the status of the commit, and as the one comment under the pull request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from local.errors import LocalError
from local.review.comment import MOST_CHARACTERS, quoted
from local.review.github import GitHub, github
from local.review.verdict import COMMENT

MARKER: Final = "<!-- crypto-policy review -->"
AUTHOR: Final = "github-actions[bot]"
"""Who writes with a workflow's token. No account that a person opens can have this name: it has brackets."""

CONTEXT: Final = "policy verdict"
"""The status that the settings of the branch require."""

JUDGES: Final = (
    ".github/",
    "Makefile",
    "Pulumi.yaml",
    "local/",
    "policies/",
    "pyproject.toml",
    "runbook/",
    "scripts/__init__.py",
    "scripts/redact/",
    "uv.lock",
)
"""What a preview and its verdict are made by: a change of these is not judged by itself, and a person reads it."""

_MOST_NAMES: Final = 20
# GitHub lists no more files of a pull request.
_MOST_FILES: Final = 3000


def publish(folder: Path, variables: Mapping[str, str] | None = None) -> None:
    """Writes status and comment; the number of the pull request goes to the workflow as the step's output ``number``.

    Raises:
        LocalError: GitHub refused, or a variable is missing.
    """
    given = os.environ if variables is None else variables
    outcome = given.get("VERDICT")
    if not outcome:
        raise LocalError("set VERDICT to the result of the job that made the verdict, such as success")
    with github(given) as repository:
        number = repository.pull_request()
        if number is None:
            print(f"no open pull request ends with {repository.run.commit}: it has moved on, and so will its verdict")
            return
        # First the status, which holds the pull request back; the comment explains it.
        _say(repository, outcome, given)
        _comment(repository, number, _text(folder, _notice(repository.changed_files(number))))
    if output := given.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as file:
            file.write(f"number={number}\n")


def _say(repository: GitHub, outcome: str, given: Mapping[str, str]) -> None:
    good = outcome == "success"
    content = {
        "state": "success" if good else "failure",
        "context": CONTEXT,
        "description": "nothing stops an update" if good else "see the comment, or the run where there is none",
    }
    if given.get("GITHUB_SERVER_URL") and given.get("GITHUB_RUN_ID"):
        place = f"{given['GITHUB_SERVER_URL']}/{repository.repository}/actions/runs/{given['GITHUB_RUN_ID']}"
        content["target_url"] = place
    repository.write("POST", f"/statuses/{repository.run.commit}", content)


def _notice(files: list[str]) -> str:
    judges = [file for file in files if file.startswith(JUDGES)]
    if len(files) >= _MOST_FILES:
        return f"> [!WARNING]\n> **GitHub lists {_MOST_FILES} changed files and no more.** A person reads them all.\n\n"
    if not judges:
        return ""
    names = [f"> - {quoted(file)}" for file in judges[:_MOST_NAMES]]
    if len(judges) > _MOST_NAMES:
        names.append(f"> - and {len(judges) - _MOST_NAMES} more")
    lines = [
        "> [!WARNING]",
        "> **This pull request changes what judges it.** The verdict is that of the policies and scripts before the",
        "> change; what made the preview is the pull request's own. A person reads these files:",
        ">",
        *names,
    ]
    return "\n".join(lines) + "\n\n"


def _text(folder: Path, notice: str) -> str:
    file = folder / COMMENT
    body = file.read_text() if file.is_file() else ""
    text = f"{MARKER}\n{notice}{body}"
    if body and len(text) <= MOST_CHARACTERS:
        return text
    return f"{MARKER}\n{notice}## Preview and policies\n\n### ❌ No verdict\n\nThe run behind the status says why.\n"


def _comment(repository: GitHub, number: int, text: str) -> None:
    before = next(_ours(repository.comments(number)), None)
    if before is None:
        repository.write("POST", f"/issues/{number}/comments", {"body": text})
    else:
        repository.write("PATCH", f"/issues/comments/{before}", {"body": text})


def _ours(comments: Iterable[dict[str, Any]]) -> Iterator[int]:
    """What an earlier run wrote: by its author first, because anybody can paste the marker."""
    for each in comments:
        user = cast("dict[str, Any]", each.get("user") or {})
        ours = user.get("login") == AUTHOR and user.get("type") == "Bot"
        if ours and str(each.get("body")).startswith(MARKER):
            yield int(each["id"])
