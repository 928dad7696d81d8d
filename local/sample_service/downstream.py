"""Calls to the other services."""

import json
import urllib.error
import urllib.request
from typing import Any, Final

from .errors import DependencyError, HttpError, first_line

_SECONDS: Final = 3.0
# No proxy: these are services of the cluster.
_opener: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(service: str, base: str, path: str, body: object = None) -> Any:
    """The JSON that a service answers; POST when there is a body.

    Raises:
        DependencyError: no answer, or a server's error.
        HttpError: the service refused the request (4xx); status and message are its own.
    """
    if not base:
        raise DependencyError(service, "its URL is not set")
    data = None if body is None else json.dumps(body).encode()
    # The opener below knows no scheme but http and https.
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with _opener.open(request, timeout=_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise DependencyError(service, f"answered {error.code}") from error
        raise HttpError(error.code, _message(error)) from error
    except (OSError, ValueError) as error:
        raise DependencyError(service, first_line(error)) from error


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return error.reason
