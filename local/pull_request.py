"""The one comment of a review in a pull request on GitHub: written once, and written over from then on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import httpx

from local.errors import LocalError
from local.review import MARKER

_NEEDED: Final = {
    "GITHUB_TOKEN": "a token that may write to pull requests",
    "GITHUB_REPOSITORY": "owner/name",
    "PULL_REQUEST": "the pull request's number",
}
_API: Final = "https://api.github.com"
_PAGE: Final = 100
_TIMEOUT_SECONDS: Final = 30.0


def publish(text: str, variables: Mapping[str, str] | None = None) -> str:
    """Writes the comment and returns its address.

    Raises:
        LocalError: a variable is missing, or GitHub refused; neither message holds the token.
    """
    given = os.environ if variables is None else variables
    missing = [f"{name} ({meaning})" for name, meaning in _NEEDED.items() if not given.get(name)]
    if missing:
        raise LocalError(f"to write to a pull request, set {', '.join(missing)}")
    issues = f"/repos/{given['GITHUB_REPOSITORY']}/issues"
    headers = {"Authorization": f"Bearer {given['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"}
    base = given.get("GITHUB_API_URL", _API)
    try:
        with httpx.Client(base_url=base, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            before = next(_ours(client, f"{issues}/{given['PULL_REQUEST']}/comments"), None)
            if before is None:
                answer = client.post(f"{issues}/{given['PULL_REQUEST']}/comments", json={"body": text})
            else:
                answer = client.patch(f"{issues}/comments/{before}", json={"body": text})
            answer.raise_for_status()
            return str(answer.json()["html_url"])
    except httpx.HTTPStatusError as error:
        raise LocalError(f"GitHub answered {error.response.status_code} to {error.request.url.path}") from None
    except httpx.HTTPError as error:
        raise LocalError(f"GitHub at {base} cannot be reached: {type(error).__name__}") from None


def _ours(client: httpx.Client, path: str) -> Iterator[int]:
    """Comments that an earlier run wrote, by their marker."""
    page = 1
    while True:
        answer = client.get(path, params={"per_page": _PAGE, "page": page})
        answer.raise_for_status()
        comments = cast("list[dict[str, Any]]", answer.json())
        yield from (int(each["id"]) for each in comments if str(each["body"]).startswith(MARKER))
        if len(comments) < _PAGE:
            return
        page += 1
