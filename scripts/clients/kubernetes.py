"""The Kubernetes API, by the official client: requests by path.

Objects are plain data: the client's models leave out what their release does not know, and a backup must not.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (the official client says no types)

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scripts.clients import tls
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]

_PAGE: Final = 250
_CHUNK_BYTES: Final = 65_536
# After so long the server ends a watch, and the next one goes on.
WATCH_SECONDS: Final = 300
# Whose the changed fields are from then on, in the objects' managedFields.
FIELD_MANAGER: Final = "ops"
# What a server in Go answers.
_PLAIN: Final = "Client sent an HTTP request to an HTTPS server"
_VERBS: Final = {"GET": "read", "PATCH": "change", "POST": "create"}


class ForbiddenError(UsageError):
    """The account may not do this."""


class LoginError(ForbiddenError):
    """The server does not know the login, or no longer: it takes no further request from it."""


class NotFoundError(CheckFailedError):
    """There is no such object."""


class ConflictError(TemporaryError):
    """The object has changed since it was read, or is there already."""


class GoneError(TemporaryError):
    """The server no longer has the version of a list that was asked for."""


class ServerError(TemporaryError):
    """The server, or a webhook that it asks, fails at this request; it may answer others."""


class Cluster:
    """The API server. Every method raises ``OpsError``."""

    def __init__(self, client: ApiClient, seconds: float, manager: str = FIELD_MANAGER) -> None:
        self._client = client
        self._seconds = seconds
        self._manager = manager

    @contextmanager
    def stream(self, path: str, parameters: Mapping[str, str | int]) -> Generator[Iterator[bytes]]:
        """The bytes of an answer as they come, for what is too large to hold.

        Raises:
            ForbiddenError: the account may not read it.
        """
        with self._answer("GET", path, parameters) as answer:
            yield answer.stream(_CHUNK_BYTES, decode_content=True)

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """What the API answers, as plain data.

        Raises:
            ForbiddenError: the account may not read it.
        """
        with self._answer("GET", path, parameters) as answer:
            return json.loads(answer.data) if "json" in answer.headers.get("content-type", "") else answer.data.decode()

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create an object in a collection; it is returned as it is afterwards.

        Raises:
            ForbiddenError: the account may not.
            ConflictError: it is there already.
        """
        with self._answer("POST", path, {"fieldManager": self._manager}, body, "application/json") as answer:
            return json.loads(answer.data)

    def patch(
        self,
        path: str,
        change: Mapping[str, object],
        *,
        strategic: bool = False,
        dry_run: bool = False,
        manager: str = "",
    ) -> Any:
        """Change an object by a JSON merge patch; it is returned as it is afterwards.

        A ``strategic`` one merges lists of named things, like containers, by their names. A
        ``metadata.resourceVersion`` in ``change`` is the version that may be changed, and no other. With ``dry_run``
        the server checks everything and keeps nothing.

        Raises:
            ForbiddenError: the account may not patch it.
            NotFoundError: there is no such object.
            ConflictError: it is no longer of that version.
        """
        parameters = {"fieldManager": manager or self._manager} | ({"dryRun": "All"} if dry_run else {})
        kind = "strategic-merge-patch" if strategic else "merge-patch"
        with self._answer("PATCH", path, parameters, change, f"application/{kind}+json") as answer:
            return json.loads(answer.data)

    def apply(self, path: str, body: Mapping[str, Any], *, manager: str, dry_run: bool = False) -> None:
        """Server-side apply of an object; conflicts are taken over, and what is no longer named is given up.

        With ``dry_run`` the server only judges it.

        Raises:
            ForbiddenError: the account may not.
            CheckFailedError: the server refuses the object, in its own words.
        """
        query = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        with self._answer("PATCH", path, query, body, "application/apply-patch+yaml") as answer:
            answer.read()

    def delete(self, path: str) -> None:
        """Delete an object and what it owns, without waiting for their end; one that is gone already is fine."""
        with suppress(NotFoundError), self._answer("DELETE", path, {"propagationPolicy": "Background"}) as answer:
            answer.read()

    def items(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Iterator[Any]:
        """All objects of a list, page by page; ``parameters`` may select some."""
        token = ""
        while True:
            query = {**(parameters or {}), "limit": _PAGE} | ({"continue": token} if token else {})
            page: Any = self.get(path, query)
            yield from page.get("items") or ()
            token = str(page["metadata"].get("continue") or "")
            if not token:
                return

    def watch(self, path: str, lost: Callable[[OpsError], None]) -> Iterator[list[Object]]:
        """All objects of a collection, and again all of them after each change, for ever.

        After a lost connection it goes on from the last version that it knows, and misses no change; where the server
        no longer has that version, it reads the list anew. ``lost`` is told why, and waits, or raises what ends this.

        The official client's own watch ends with its connection, leaves bookmarks unread and answers 410 with the same
        version once more (release 35).
        """
        objects: dict[str, Object] = {}
        version = ""
        while True:
            try:
                if not version:
                    listed = self.get(path)
                    objects = {item["metadata"]["uid"]: item for item in listed["items"]}
                    version = listed["metadata"]["resourceVersion"]
                    yield list(objects.values())
                for kind, item in self._events(path, version):
                    version = item["metadata"]["resourceVersion"]
                    if kind == "BOOKMARK":
                        continue
                    objects[item["metadata"]["uid"]] = item
                    if kind == "DELETED":
                        del objects[item["metadata"]["uid"]]
                    yield list(objects.values())
            except OpsError as error:
                version = "" if isinstance(error, GoneError) else version
                lost(error)

    def _events(self, path: str, since: str) -> Iterator[tuple[str, Object]]:
        """What one connection tells of changes after a version."""
        query = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": since}
        told = False
        with self._answer("GET", path, query | {"timeoutSeconds": WATCH_SECONDS}) as answer:
            for line in answer:
                told = True
                try:
                    event = json.loads(line)
                except ValueError as error:
                    raise self._unanswered(error) from None
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise _error("GET", path, status.get("code", 500), f": {status.get('message')}")
                yield event["type"], event["object"]
        if not told:
            # Bookmarks come in the quietest collection: what ends at once would be asked for without a pause.
            raise TemporaryError(f"Kubernetes API: the watch of {path} ended without a word")

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "",
    ) -> Generator[Any]:
        """The answer, whose content is still to be read."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        query = parameters or {}
        headers = {"Accept": "application/json, */*"} | ({"Content-Type": content_type} if content_type else {})
        silence = self._seconds + float(query.get("timeoutSeconds", 0))
        try:
            answer: Any = self._client.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(self._seconds, silence),
            )
            try:
                yield answer
            finally:
                answer.close()
        except ApiException as error:
            if not error.status:
                # The client turns the one error of TLS into its own, and into two lines (release 35).
                raise self._unanswered(error.__context__ or error) from None
            if error.status == 400 and _PLAIN in str(error.body):
                raise UsageError(
                    f"Kubernetes API at {self._client.configuration.host}: it speaks TLS; write https://"
                ) from None
            raise _error(method, path, error.status, _told(error.body)) from None
        except HTTPError as error:
            raise self._unanswered(error) from None

    def _unanswered(self, error: BaseException) -> OpsError:
        # urllib3 wraps what the system said, with the names of its own objects around it.
        inner = (error.__cause__, getattr(error, "reason", None), *error.args)
        reason = next((part for part in inner if isinstance(part, Exception)), error)
        line = f"Kubernetes API at {self._client.configuration.host}: {str(reason) or type(reason).__name__}"
        return (UsageError if tls.mistaken(reason) else TemporaryError)(line)


def _error(method: str, path: str, code: int, told: str) -> OpsError:
    if code in (401, 403):
        kind = LoginError if code == 401 else ForbiddenError
        return kind(f"Kubernetes API: not permitted to {_VERBS.get(method, method)} {path} ({code}){told}")
    line = f"Kubernetes API: {path} answers {code}{told}"
    kinds: dict[int, type[OpsError]] = {
        404: NotFoundError,
        409: ConflictError,
        410: GoneError,
        429: TemporaryError,
    }
    return (ServerError if code >= 500 else kinds.get(code, CheckFailedError))(line)


def _told(body: bytes | str | None) -> str:
    """The reason in the server's own words, where it gives one."""
    try:
        return f": {json.loads(body or '')['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def connect(seconds: float, kubeconfig: Path | None = None, manager: str = FIELD_MANAGER) -> Generator[Cluster]:
    """The cluster in which this runs, else the one of the kubeconfig's current context.

    Each request may take ``seconds``. A ``kubeconfig`` that is named is the only one, and none of the shell's proxies
    is asked then: it is for clusters on this machine. ``manager`` is whose the fields are that this changes.

    Raises:
        UsageError: there is neither, or the kubeconfig cannot be used.
        TemporaryError: the issuer of its tokens does not answer.
    """
    from kubernetes.client import ApiClient

    from scripts.clients.kubeconfig import configuration

    with ApiClient(configuration(kubeconfig)) as client:
        yield Cluster(client, seconds, manager)
