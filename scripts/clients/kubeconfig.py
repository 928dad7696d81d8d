"""How the official client reaches a cluster: the ways to log in, and what it leaves out of them.

Imported where a connection is opened: the library takes 0.4 CPU seconds and 50 MB.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (the official client says no types)

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes.client import ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.config.kube_config import KubeConfigMerger
from oauthlib.oauth2 import OAuth2Error
from requests import RequestException
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from scripts import redact
from scripts.exits import TemporaryError, UsageError
from scripts.output import one_line


def configuration(kubeconfig: Path | None = None) -> Configuration:
    """The cluster of this pod, else of ``KUBECONFIG``; or the one of a ``kubeconfig``, past every proxy of the shell.

    Raises:
        UsageError: there is none, or the kubeconfig cannot be used.
        TemporaryError: the issuer of its tokens does not answer.
    """
    made = Configuration()
    made.retries = False
    if kubeconfig is not None:
        made.proxy = None
        _outside(made, str(kubeconfig))
    else:
        # The client reads the other variables of proxies itself, and this one only to forget it (release 35).
        made.no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            _inside(made)
        else:
            _outside(made, os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"))
    made.proxy = _proxy(made.proxy)
    _check_server(made.host)
    _hide_tokens(made)
    _hide_logins(made)
    if not made.verify_ssl:
        # The kubeconfig asks for it; a warning at each request tells nothing new.
        disable_warnings(InsecureRequestWarning)
    return made


def _inside(made: Configuration) -> None:
    try:
        load_incluster_config(client_configuration=made)
    except (ConfigException, OSError) as error:
        raise UsageError(f"the service account of this pod cannot be used: {error}") from None


def _outside(made: Configuration, name: str) -> None:
    if not any(Path(part).is_file() for part in name.split(os.pathsep)):
        raise UsageError(f"no Kubernetes: not inside a cluster, and there is no kubeconfig {name}")
    try:
        whole: Any = KubeConfigMerger(name).config
        cluster, user = _entries(whole)
        _check_cluster(cluster["cluster"].value)
        _check_user(user["user"].value)
        with _logged() as errors:
            load_kube_config(config_file=name, client_configuration=made)
        _complete(made, cluster, user)
    except (ApiException, HTTPError, RequestException) as error:
        line = " ".join(str(error).split())
        raise TemporaryError(f"the issuer of the tokens of the kubeconfig {name} does not answer: {line}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"the kubeconfig {name} is no YAML document: {one_line(str(error))}") from None
    except (ConfigException, OAuth2Error, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"the kubeconfig {name} cannot be used: {_reason(str(error))}") from None
    if errors:
        raise UsageError(f"the kubeconfig {name} cannot be used: {_reason(errors[0])}")


def _reason(said: str) -> str:
    """The official client shows the whole entry of a user, secrets and all: what it says before that."""
    return one_line(said).partition("{")[0].rstrip(" :/")


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


def _entries(whole: Any) -> tuple[Any, Any]:
    """Cluster and user of the current context."""
    context = whole["contexts"].get_with_name(whole["current-context"])["context"]
    cluster, user = (whole[f"{kind}s"].get_with_name(context[kind]) for kind in ("cluster", "user"))
    return cluster, user


def _check_cluster(cluster: Mapping[str, Any]) -> None:
    """Refuse what kubectl refuses: the official client takes any text for true."""
    insecure = cluster.get("insecure-skip-tls-verify", False)
    if not isinstance(insecure, bool):
        raise TypeError(f"insecure-skip-tls-verify is {insecure!r}; it is true or false, without quotes")
    if insecure and (cluster.get("certificate-authority") or cluster.get("certificate-authority-data")):
        raise ValueError("insecure-skip-tls-verify and certificate-authority exclude one another; remove one of them")


def _check_user(user: Mapping[str, Any]) -> None:
    """Refuse what the official client passes over (release 35): it would act with other rights than kubectl does."""
    if given := [key for key in user if key == "as" or key.startswith("as-")]:
        raise ValueError(f"{given[0]} asks to act as another user, which ops does not; remove it, or give ops a login")
    for variable in (user.get("exec") or {}).get("env") or ():
        if "value" not in variable:
            raise ValueError(f"exec.env {variable.get('name')} has no value; give it one, or value: ''")
    provider = (user.get("auth-provider") or {}).get("name")
    if provider not in {None, "oidc", "gcp", "azure"}:
        raise ValueError(f"auth-provider {provider} is unknown; use a plugin (exec) or oidc")


def _check_server(host: str) -> None:
    try:
        parts = urlsplit(host)
        well = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        well = False
    if not well:
        raise UsageError(f"the kubeconfig's server is {host!r}; it must be a URL like https://10.0.0.1:6443")


def _proxy(url: str | None) -> str | None:
    """A proxy's URL; HTTP where it names no scheme, as curl reads it.

    Raises:
        UsageError: it is of a kind that the client does not speak.
    """
    if not url:
        return None
    whole = url if "://" in url else f"http://{url}"
    if whole.partition("://")[0].lower() not in {"http", "https"}:
        raise UsageError(f"the proxy {redact.clean(url)} is not one of http or https, which are all that ops speaks")
    return whole


def _complete(made: Configuration, cluster: Any, user: Any) -> None:
    """What the official client does not read (release 35): the context's proxy, and a file with a token once more."""
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


def _hide_logins(made: Configuration) -> None:
    """The other ways to log in: a password, the key of a certificate, and the password of a proxy."""
    redact.hide(made.password)
    # What cannot be read is told where it is used.
    with suppress(ValueError):
        redact.hide(urlsplit(made.proxy or "").password)
    if made.key_file:
        with suppress(OSError, ValueError):
            redact.hide(Path(made.key_file).read_text(encoding="utf-8"))


def _hide_tokens(made: Configuration) -> None:
    """No token is ever shown, neither this one nor one that replaces it."""
    renew = made.refresh_api_key_hook

    def hide(of: Configuration) -> None:
        if renew is not None:
            renew(of)
            # A plugin's renewal puts itself here again.
            of.refresh_api_key_hook = hide
        if header := of.api_key.get("authorization", "").strip():
            if not (header.isascii() and header.isprintable()):
                raise UsageError("the token has a line break or a sign in it that no token has; write it anew")
            # A file's last line break is no part of a header.
            of.api_key["authorization"] = header
            redact.hide(header.partition(" ")[2].strip())

    hide(made)
    made.refresh_api_key_hook = hide
