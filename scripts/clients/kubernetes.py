"""The Kubernetes API over plain HTTP: reads and patches do not need a client that takes 40 MB to import."""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from scripts import redact
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError

if TYPE_CHECKING:
    import httpx

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAGE: Final = 250
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

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @contextmanager
    def stream(self, path: str, parameters: Mapping[str, str | int]) -> Generator[Iterator[bytes]]:
        """The bytes of an answer as they come, for what is too large to hold.

        Raises:
            ForbiddenError: the account may not read it.
        """
        import httpx

        where = f"Kubernetes API at {self._client.base_url}: {path}"
        try:
            with self._client.stream("GET", path, params=dict(parameters)) as answer:
                if answer.status_code in (401, 403):
                    raise ForbiddenError(f"Kubernetes API: not permitted to read {path} ({answer.status_code})")
                if answer.is_server_error:
                    raise TemporaryError(f"{where} answers {answer.status_code}")
                if not answer.is_success:
                    raise CheckFailedError(f"{where} answers {answer.status_code}")
                yield answer.iter_bytes()
        except httpx.HTTPError as error:
            raise TemporaryError(f"{where}: {error or type(error).__name__}") from None

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """What the API answers, as plain data.

        Raises:
            ForbiddenError: the account may not read it.
        """
        answer = self._ask("GET", path, parameters)
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

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
        content = json.dumps(change).encode()
        return self._ask("PATCH", path, parameters, content, f"application/{kind}+json").json()

    def apply(self, path: str, body: Mapping[str, Any], *, manager: str, dry_run: bool = False) -> None:
        """Server-side apply of an object; conflicts are taken over, and what is no longer named is given up.

        With ``dry_run`` the server only judges it.

        Raises:
            ForbiddenError: the account may not.
            CheckFailedError: the server refuses the object, in its own words.
        """
        query = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        self._ask("PATCH", path, query, json.dumps(body).encode(), "application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        """Delete an object and what it owns, without waiting for their end; one that is gone already is fine."""
        with suppress(NotFoundError):
            self._ask("DELETE", path, {"propagationPolicy": "Background"})

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

    def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        content_type: str = "",
    ) -> httpx.Response:
        import httpx

        headers = {"Content-Type": content_type} if content_type else {}
        try:
            answer = self._client.request(method, path, params=dict(parameters or {}), content=content, headers=headers)
        except httpx.HTTPError as error:
            raise TemporaryError(
                f"Kubernetes API at {self._client.base_url}: {error or type(error).__name__}"
            ) from None
        if answer.is_success:
            return answer
        raise _error(method, path, answer.status_code, _told(answer))


def _error(method: str, path: str, code: int, told: str) -> OpsError:
    if code in (401, 403):
        return ForbiddenError(f"Kubernetes API: not permitted to {_VERBS.get(method, method)} {path} ({code}){told}")
    line = f"Kubernetes API: {path} answers {code}{told}"
    kinds: dict[int, type[OpsError]] = {404: NotFoundError, 409: ConflictError, 429: TemporaryError}
    return (TemporaryError if code >= 500 else kinds.get(code, CheckFailedError))(line)


def _told(answer: httpx.Response) -> str:
    """The reason in the server's own words, where it gives one."""
    try:
        body: Any = answer.json()
        return f": {body['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def connect(seconds: float) -> Generator[Cluster]:
    """The cluster in which this runs, else the one of the kubeconfig's current context.

    Each request may take ``seconds``.

    Raises:
        UsageError: there is neither, or the kubeconfig cannot be used.
    """
    import httpx

    server, context, headers = _inside() if "KUBERNETES_SERVICE_HOST" in os.environ else _outside()
    with httpx.Client(base_url=server, verify=context, headers=headers, timeout=seconds, trust_env=False) as client:
        yield Cluster(client)


def _inside() -> tuple[str, ssl.SSLContext, dict[str, str]]:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        token = (_ACCOUNT / "token").read_text(encoding="utf-8").strip()
        context = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    except OSError as error:
        raise UsageError(f"no service-account token is mounted at {_ACCOUNT}: {error.strerror}") from None
    redact.hide(token)
    return f"https://{f'[{host}]' if ':' in host else host}:{port}", context, {"Authorization": f"Bearer {token}"}


def _outside() -> tuple[str, ssl.SSLContext, dict[str, str]]:
    import yaml

    name = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or str(Path.home() / ".kube" / "config")
    try:
        whole = cast("dict[str, Any]", yaml.safe_load(Path(name).read_text(encoding="utf-8")))
        context = _named(whole, "contexts", whole["current-context"])["context"]
        cluster = _named(whole, "clusters", context["cluster"])["cluster"]
        user = _named(whole, "users", context["user"])["user"]
        return cluster["server"], _tls(cluster, user, Path(name).parent), _headers(user)
    except OSError as error:
        raise UsageError(
            f"no Kubernetes: not inside a cluster, and the kubeconfig {name} cannot be read: {error.strerror}"
        ) from None
    except (KeyError, StopIteration, TypeError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"the kubeconfig {name} cannot be used: {type(error).__name__} {error}") from None


def _named(whole: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return next(entry for entry in whole[kind] if entry["name"] == name)


def _headers(user: dict[str, Any]) -> dict[str, str]:
    token = user.get("token")
    if token is None and "tokenFile" in user:
        token = Path(user["tokenFile"]).read_text(encoding="utf-8").strip()
    redact.hide(token)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _tls(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate, key = _content(user, "client-certificate", folder), _content(user, "client-key", folder)
    if certificate and key:
        # OpenSSL takes a client certificate only from a file; a private one, gone before the first request.
        with tempfile.NamedTemporaryFile(suffix=".pem") as pair:
            pair.write(certificate + b"\n" + key)
            pair.flush()
            context.load_cert_chain(pair.name)
    return context


def _content(entry: dict[str, Any], name: str, folder: Path) -> bytes | None:
    if data := entry.get(f"{name}-data"):
        return base64.b64decode(data)
    return (folder / entry[name]).read_bytes() if entry.get(name) else None
