"""The Kubernetes API, by the official client: its configuration, its ways to log in, and requests by path.

Objects are plain data: the client's models leave out what their release does not know, and a backup must not.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (the official client says no types)

from __future__ import annotations

import json
import logging
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scripts import redact
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

_PAGE: Final = 250
_CHUNK_BYTES: Final = 65_536
# Whose the changed fields are from then on, in the objects' managedFields.
FIELD_MANAGER: Final = "ops"
_VERBS: Final = {"GET": "read", "PATCH": "change"}


class ForbiddenError(UsageError):
    """The account may not do this."""


class NotFoundError(CheckFailedError):
    """There is no such object."""


class ConflictError(TemporaryError):
    """Somebody else changed the object since it was read."""


class Cluster:
    """The API server. Every method raises ``OpsError``."""

    def __init__(self, client: ApiClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds

    @contextmanager
    def stream(self, path: str, parameters: Mapping[str, str | int]) -> Generator[Iterator[bytes]]:
        """The bytes of an answer as they come, for what is too large to hold.

        Raises:
            ForbiddenError: the account may not read it.
        """
        from urllib3.exceptions import HTTPError

        answer = self._ask("GET", path, parameters)
        try:
            yield answer.stream(_CHUNK_BYTES, decode_content=True)
        except HTTPError as error:
            raise self._unanswered(error) from None
        finally:
            answer.close()

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """What the API answers, as plain data.

        Raises:
            ForbiddenError: the account may not read it.
        """
        answer, content = self._whole("GET", path, parameters)
        return json.loads(content) if "json" in answer.headers.get("content-type", "") else content.decode()

    def patch(
        self,
        path: str,
        change: Mapping[str, object],
        *,
        strategic: bool = False,
        dry_run: bool = False,
        manager: str = FIELD_MANAGER,
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
        parameters = {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})
        kind = "strategic-merge-patch" if strategic else "merge-patch"
        return json.loads(self._whole("PATCH", path, parameters, change, f"application/{kind}+json")[1])

    def apply(self, path: str, body: Mapping[str, Any], *, manager: str, dry_run: bool = False) -> None:
        """Server-side apply of an object; conflicts are taken over, and what is no longer named is given up.

        With ``dry_run`` the server only judges it.

        Raises:
            ForbiddenError: the account may not.
            CheckFailedError: the server refuses the object, in its own words.
        """
        query = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        self._whole("PATCH", path, query, body, "application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        """Delete an object and what it owns, without waiting for their end; one that is gone already is fine."""
        with suppress(NotFoundError):
            self._whole("DELETE", path, {"propagationPolicy": "Background"})

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

    def _whole(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "",
    ) -> tuple[Any, bytes]:
        """The answer and all of its content."""
        from urllib3.exceptions import HTTPError

        answer = self._ask(method, path, parameters, body, content_type)
        try:
            return answer, answer.data
        except HTTPError as error:
            raise self._unanswered(error) from None

    def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "",
    ) -> Any:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json, */*"} | ({"Content-Type": content_type} if content_type else {})
        try:
            return self._client.call_api(
                path,
                method,
                query_params=list((parameters or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(self._seconds, self._seconds),
            )
        except ApiException as error:
            if not error.status:
                raise self._unanswered(error) from None
            raise _error(method, path, error.status, _told(error.body)) from None
        except HTTPError as error:
            raise self._unanswered(error) from None

    def _unanswered(self, error: Exception) -> TemporaryError:
        # urllib3 wraps what the system said, with the names of its own objects around it.
        reason = error.__cause__ or getattr(error, "reason", None) or error
        return TemporaryError(f"Kubernetes API at {self._client.configuration.host}: {reason or type(reason).__name__}")


def _error(method: str, path: str, code: int, told: str) -> OpsError:
    if code in (401, 403):
        return ForbiddenError(f"Kubernetes API: not permitted to {_VERBS.get(method, method)} {path} ({code}){told}")
    line = f"Kubernetes API: {path} answers {code}{told}"
    kinds: dict[int, type[OpsError]] = {404: NotFoundError, 409: ConflictError, 429: TemporaryError}
    return (TemporaryError if code >= 500 else kinds.get(code, CheckFailedError))(line)


def _told(body: bytes | str | None) -> str:
    """The reason in the server's own words, where it gives one."""
    try:
        return f": {json.loads(body or '')['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def connect(seconds: float) -> Generator[Cluster]:
    """The cluster in which this runs, else the one of the kubeconfig's current context.

    Each request may take ``seconds``.

    Raises:
        UsageError: there is neither, or the kubeconfig cannot be used.
    """
    from kubernetes.client import ApiClient

    with ApiClient(configuration()) as client:
        yield Cluster(client, seconds)


def configuration() -> Configuration:
    """How the official client reaches that cluster.

    Raises:
        UsageError: there is none, or the kubeconfig cannot be used.
    """
    from kubernetes.client import Configuration
    from urllib3 import disable_warnings
    from urllib3.exceptions import InsecureRequestWarning

    made = Configuration()
    # The client reads the other variables of proxies itself, and this one only to forget it (release 35).
    made.no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    made.retries = False
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        _inside(made)
    else:
        _outside(made)
    _hide_tokens(made)
    if not made.verify_ssl:
        # The kubeconfig asks for it; a warning at each request tells nothing new.
        disable_warnings(InsecureRequestWarning)
    return made


def _inside(made: Configuration) -> None:
    from kubernetes.config import ConfigException, load_incluster_config

    try:
        load_incluster_config(client_configuration=made)
    except (ConfigException, OSError) as error:
        raise UsageError(f"the service account of this pod cannot be used: {error}") from None


def _outside(made: Configuration) -> None:
    from kubernetes.config import ConfigException, load_kube_config

    name = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if not any(Path(part).is_file() for part in name.split(os.pathsep)):
        raise UsageError(f"no Kubernetes: not inside a cluster, and there is no kubeconfig {name}")
    try:
        with _logged() as errors:
            load_kube_config(config_file=name, client_configuration=made)
        _complete(made, name)
    except (ConfigException, OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"the kubeconfig {name} cannot be used: {error}") from None
    if errors:
        raise UsageError(f"the kubeconfig {name} cannot be used: {errors[0]}")


class _Errors(logging.Handler):
    """Keeps what is logged as an error: the official client tells of a plugin that fails nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage().partition("\n")[0])


@contextmanager
def _logged() -> Generator[list[str]]:
    errors, root = _Errors(), logging.getLogger()
    root.addHandler(errors)
    try:
        yield errors.lines
    finally:
        root.removeHandler(errors)


def _complete(made: Configuration, name: str) -> None:
    """What the official client does not read (release 35): the context's proxy, and a file with a token once more."""
    from kubernetes.config.kube_config import KubeConfigMerger

    whole: Any = KubeConfigMerger(name).config
    context = whole["contexts"].get_with_name(whole["current-context"])["context"]
    cluster, user = (whole[f"{kind}s"].get_with_name(context[kind]) for kind in ("cluster", "user"))
    made.proxy = cluster["cluster"].safe_get("proxy-url") or made.proxy
    token_file = user["user"].safe_get("tokenFile")
    if token_file:
        file = Path(user.path).parent / token_file
        made.refresh_api_key_hook = partial(_read_token, file)


def _read_token(file: Path, of: Configuration) -> None:
    try:
        of.api_key["authorization"] = f"Bearer {file.read_text(encoding='utf-8')}"
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the token file {file} cannot be read: {error}") from None


def _hide_tokens(made: Configuration) -> None:
    """No token is ever shown, neither this one nor one that replaces it."""
    renew = made.refresh_api_key_hook

    def hide(of: Configuration) -> None:
        if renew is not None:
            renew(of)
            # A plugin's renewal puts itself here again.
            of.refresh_api_key_hook = hide
        if header := of.api_key.get("authorization", "").strip():
            # A file's last line break is no part of a header.
            of.api_key["authorization"] = header
            redact.hide(header.partition(" ")[2].strip())

    hide(made)
    made.refresh_api_key_hook = hide
