"""Prometheus, by its HTTP API."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from runbook.ops_settings import OpsSettings
from scripts import lazy, log, redact
from scripts.clients import tls
from scripts.exits import CheckFailedError, TemporaryError, UsageError
from scripts.output import one_line

_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """A series' labels and its value at the moment of the query; it can be NaN."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Target:
    """Something that Prometheus scrapes: ``health`` is up, down or unknown."""

    job: str
    instance: str
    namespace: str
    health: str
    error: str

    @property
    def name(self) -> str:
        return f"{self.job}/{self.instance}"


class Prometheus:
    """A Prometheus. Every method raises ``OpsError``."""

    def __init__(self, client: lazy.httpx.Client, url: str) -> None:
        self._client = client
        self._url = url

    def query(self, expression: str) -> list[Sample]:
        """The series that ``expression`` yields now; none is an answer too."""
        data = self._ask("query", {"query": expression})
        kind, result = data.get("resultType"), data.get("result")
        if kind == "scalar" and isinstance(result, list):
            return [Sample({}, float(cast("list[Any]", result)[1]))]
        if kind != "vector" or not isinstance(result, list):
            raise CheckFailedError(f"Prometheus at {self._url}: {expression} yields a {kind}, not a figure a series")
        return [Sample(series["metric"], float(series["value"][1])) for series in cast("list[Any]", result)]

    def targets(self) -> list[Target]:
        """What it scrapes."""
        active = cast("list[Any]", self._ask("targets", {"state": "active"}).get("activeTargets") or [])
        return [_target(entry) for entry in active]

    def _ask(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        where = f"Prometheus at {self._url}"
        try:
            answer = self._client.get(f"{self._url.rstrip('/')}/api/v1/{path}", params=dict(parameters))
        except lazy.httpx.HTTPError as error:
            text = f"{where}: {error or type(error).__name__}"
            raise (UsageError if tls.mistaken(error) else TemporaryError)(text) from None
        body = _body(answer)
        if body is not None and body.get("status") == "success":
            for warning in cast("list[str]", body.get("warnings") or []):
                log.warning("Prometheus warns", query=path, warning=warning)
            return cast("dict[str, Any]", body.get("data") or {})
        raise _error(answer, body, where)


@contextmanager
def connect(settings: OpsSettings, seconds: float) -> Generator[Prometheus]:
    """The Prometheus of the settings; each of its answers may take ``seconds``.

    Raises:
        UsageError: the settings name none.
    """
    if settings.prometheus is None:
        raise UsageError("the settings name no Prometheus; give prometheus.url the address of its HTTP API")
    # No proxy of the shell: the address is inside the cluster.
    with lazy.httpx.Client(timeout=seconds, trust_env=False) as client:
        yield Prometheus(client, settings.prometheus.url)


def _target(entry: Any) -> Target:
    labels: Any = entry.get("labels") or {}
    return Target(
        job=str(labels.get("job", "")),
        instance=str(labels.get("instance", "")),
        namespace=str(labels.get("namespace", "")),
        health=str(entry.get("health", "unknown")),
        error=one_line(str(entry.get("lastError", ""))),
    )


def _body(answer: lazy.httpx.Response) -> dict[str, Any] | None:
    try:
        found: object = answer.json()
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _error(answer: lazy.httpx.Response, body: dict[str, Any] | None, where: str) -> Exception:
    reason = redact.clean(one_line(str((body or {}).get("error") or answer.text)))[:_SHOWN]
    text = f"{where}: answers {answer.status_code} {reason}".rstrip()
    if answer.status_code in (401, 403):
        return UsageError(text)
    # 422 is a wrong expression, 503 a query that was aborted; a proxy's page has neither.
    if answer.is_server_error or answer.status_code == 429:
        return TemporaryError(text)
    return CheckFailedError(text if body is not None else f"{text}; that is no answer of Prometheus")
