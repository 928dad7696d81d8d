"""The Kubernetes API over plain HTTP: a few reads do not need a client that takes 40 MB to import."""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from scripts import redact
from scripts.exits import CheckFailedError, TemporaryError, UsageError
from scripts.output import one_line

if TYPE_CHECKING:
    import httpx

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAGE: Final = 250


class ForbiddenError(UsageError):
    """The account may not do this."""


class Cluster:
    """The API server. Every method raises ``OpsError``."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """What the API answers, as plain data.

        Raises:
            ForbiddenError: the account may not read it.
        """
        import httpx

        try:
            answer = self._client.get(path, params=dict(parameters or {}))
        except httpx.HTTPError as error:
            raise TemporaryError(
                f"Kubernetes API at {self._client.base_url}: {error or type(error).__name__}"
            ) from None
        if answer.status_code in (401, 403):
            raise ForbiddenError(f"Kubernetes API: not permitted to read {path} ({answer.status_code})")
        if answer.status_code != int(httpx.codes.OK):
            raise CheckFailedError(f"Kubernetes API: {path} answers {answer.status_code}")
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    def apply(self, path: str, body: Mapping[str, Any], *, manager: str, dry_run: bool = False) -> None:
        """Server-side apply of an object; conflicts are taken over. With ``dry_run`` the server only judges it.

        Raises:
            ForbiddenError: the account may not.
            CheckFailedError: the server refuses the object, in its own words.
        """
        import httpx

        query: dict[str, str] = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        headers = {"Content-Type": "application/apply-patch+yaml"}
        try:
            answer = self._client.patch(path, params=query, content=json.dumps(body), headers=headers)
        except httpx.HTTPError as error:
            raise TemporaryError(
                f"Kubernetes API at {self._client.base_url}: {error or type(error).__name__}"
            ) from None
        if answer.is_success:
            return
        said = (
            one_line(str(answer.json().get("message", ""))) if "json" in answer.headers.get("content-type", "") else ""
        )
        text = f"Kubernetes API: {path}: {said or answer.status_code}"
        if answer.status_code in (401, 403):
            raise ForbiddenError(text)
        if answer.status_code == int(httpx.codes.TOO_MANY_REQUESTS) or answer.is_server_error:
            raise TemporaryError(text)
        raise CheckFailedError(text)

    def items(self, path: str) -> Iterator[Any]:
        """All objects of a list, page by page."""
        token = ""
        while True:
            query: dict[str, str | int] = {"limit": _PAGE, "continue": token} if token else {"limit": _PAGE}
            page: Any = self.get(path, query)
            yield from page.get("items") or ()
            token = str(page["metadata"].get("continue") or "")
            if not token:
                return


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
