"""How the official client reaches a cluster: the ways to log in, and what it leaves out of them.

Imported where a connection is opened: the library takes 0.4 CPU seconds and 50 MB.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (the official client says no types)

from __future__ import annotations

import base64
import os
import ssl
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from kubernetes.client import ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config
from kubernetes.config.kube_config import KubeConfigLoader
from oauthlib.oauth2 import OAuth2Error
from requests import RequestException
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from scripts import redact
from scripts.clients import addresses, kubeconfig_file, kubeconfig_plugin
from scripts.clients.kubeconfig_file import Chosen, Cluster, Plugin, User
from scripts.clients.kubeconfig_plugin import Credential
from scripts.exits import TemporaryError, UsageError
from scripts.output import one_line

# The official client shares the files of certificates between threads, and names one to others before it is written.
_LOADING: Final = threading.Lock()


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
    _hide_tokens(made)
    _hide_logins(made)
    if not made.verify_ssl:
        # The kubeconfig asks for it; a warning at each request tells nothing new.
        disable_warnings(InsecureRequestWarning)
    return made


def _inside(made: Configuration) -> None:
    try:
        load_incluster_config(client_configuration=made)
        _check_certificates(made)
    except (ConfigException, OSError, ValueError) as error:
        raise UsageError(f"the service account of this pod cannot be used: {error}") from None


def _outside(made: Configuration, name: str) -> None:
    if not any(Path(part).expanduser().exists() for part in name.split(os.pathsep) if part):
        raise UsageError(f"no Kubernetes: not inside a cluster, and there is no kubeconfig {name}")
    try:
        chosen = kubeconfig_file.choose(name)
        _check_server(chosen.cluster.server)
        _log_in(made, chosen)
        _check_certificates(made)
    except (ApiException, HTTPError, RequestException) as error:
        line = one_line(str(error))
        raise TemporaryError(f"the issuer of the tokens of the kubeconfig {name} does not answer: {line}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"the kubeconfig {name} is no YAML document: {one_line(str(error))}") from None
    except RecursionError:
        raise UsageError(f"the kubeconfig {name} cannot be used: its maps and lists are too deep") from None
    except (ConfigException, OAuth2Error, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"the kubeconfig {name} cannot be used: {_reason(str(error))}") from None


def _reason(said: str) -> str:
    """The official client shows the whole entry of a user, secrets and all: what it says before that."""
    return one_line(said).partition("{")[0].rstrip(" :/")


def _log_in(made: Configuration, chosen: Chosen) -> None:
    """Have the official client log in as the user; what it does not read (release 35) is done here."""
    cluster, user = chosen.cluster, chosen.user
    redact.hide(user.password)
    plugin = user.exec if not user.token and not user.token_file else None
    credential = None if plugin is None else kubeconfig_plugin.ask(plugin, cluster)
    whole = _plain(cluster, _login(user, credential))
    tokens = whole["users"][0]["user"].get("auth-provider", {}).get("config")
    with _LOADING:
        KubeConfigLoader(whole, config_persister=partial(chosen.keep, tokens)).load_and_set(made)
    if user.auth_provider is not None and not made.api_key:
        # The client would ask as nobody.
        raise ValueError("auth-provider.config.id-token is no token (JWT); log in anew")
    made.proxy = cluster.proxy_url or made.proxy
    if user.token_file:
        made.refresh_api_key_hook = partial(_read_token, Path(user.token_file), user.token)
    elif plugin is not None and credential is not None:
        made.refresh_api_key_hook = _Renewal(plugin, cluster, credential)


def _login(user: User, credential: Credential | None) -> dict[str, Any]:
    """The user's fields for the official client, without those that it reads otherwise than kubectl."""
    certificate = ("client_certificate", "client_certificate_data", "client_key", "client_key_data")
    found = user.given("token", "auth_provider", *certificate)
    if user.username or user.password:
        found |= {"username": user.username, "password": user.password}
    if user.auth_provider is not None:
        # A public client of an issuer has no secret.
        found["auth-provider"]["config"] = {"client-secret": "", **user.auth_provider.config}
    if credential is not None and credential.token:
        found["token"] = credential.token
    if credential is not None and credential.key:
        pair = {"client-certificate-data": credential.certificate, "client-key-data": credential.key}
        found |= {field: base64.b64encode(content.encode()).decode() for field, content in pair.items()}
    return found


def _plain(cluster: Cluster, user: dict[str, Any]) -> dict[str, Any]:
    """A kubeconfig of one context."""
    trust = ("certificate_authority", "certificate_authority_data", "insecure_skip_tls_verify", "tls_server_name")
    scheme, _, rest = cluster.server.partition(":")
    reached = {**cluster.given(*trust), "server": f"{scheme.lower()}:{rest}"}
    return {
        "clusters": [{"name": "cluster", "cluster": reached}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }


class _Renewal:
    """Before a request: asks the plugin anew once its token has expired."""

    def __init__(self, plugin: Plugin, cluster: Cluster, credential: Credential) -> None:
        self._plugin = plugin
        self._cluster = cluster
        self._credential = credential

    def __call__(self, of: Configuration) -> None:
        if self._credential.expired:
            try:
                self._credential = kubeconfig_plugin.ask(self._plugin, self._cluster)
            except ValueError as error:
                raise UsageError(f"the login cannot be renewed: {error}") from None
        if self._credential.token:
            of.api_key["authorization"] = f"Bearer {self._credential.token}"


def _check_certificates(made: Configuration) -> None:
    """Refuse files that TLS cannot use: at a request they look like a server that does not answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if made.ssl_ca_cert:
            context.load_verify_locations(made.ssl_ca_cert)
    except OSError as error:
        raise ValueError(f"certificate-authority holds no certificate that can be used: {error}") from None
    try:
        if made.cert_file:
            # A password would be asked for at the terminal; kubectl takes no such key.
            context.load_cert_chain(made.cert_file, made.key_file, password="")
    except (OSError, ValueError) as error:
        raise ValueError(f"client-certificate and client-key are no pair that can be used: {error}") from None


def _check_server(host: str) -> None:
    if not addresses.is_url(host):
        raise UsageError(f"the kubeconfig's server is {host!r}; it must be a URL like https://10.0.0.1:6443")


def _proxy(url: str | None) -> str | None:
    """A proxy's URL; HTTP where it names no scheme, as curl reads it.

    Raises:
        UsageError: it is no URL, or of a kind that the client does not speak.
    """
    if not url:
        return None
    whole = url if "://" in url else f"http://{url}"
    if whole.partition("://")[0].lower() not in {"http", "https"}:
        raise UsageError(f"the proxy {redact.clean(url)} is not one of http or https, which are all that ops speaks")
    if not addresses.is_url(whole):
        raise UsageError(f"the proxy {redact.clean(url)} is no address; write it like http://proxy.example.com:3128")
    return whole


def _read_token(file: Path, otherwise: str, of: Configuration) -> None:
    """The token in the file, else the one that the kubeconfig has besides."""
    try:
        token = file.read_text(encoding="utf-8").strip() or otherwise
    except (OSError, UnicodeDecodeError) as error:
        if not otherwise:
            raise UsageError(f"the token file {file} cannot be read: {error}") from None
        token = otherwise
    if not token:
        raise UsageError(f"the token file {file} is empty")
    of.api_key["authorization"] = f"Bearer {token}"


def _hide_logins(made: Configuration) -> None:
    """The other ways to log in: the key of a certificate, and the password of a proxy."""
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
            # The official client's renewal puts itself here again.
            of.refresh_api_key_hook = hide
        if header := of.api_key.get("authorization", "").strip():
            if not (header.isascii() and header.isprintable()):
                raise UsageError("the token has a line break or a sign in it that no token has; write it anew")
            # A file's last line break is no part of a header.
            of.api_key["authorization"] = header
            redact.hide(header.partition(" ")[2].strip())

    hide(made)
    made.refresh_api_key_hook = hide
