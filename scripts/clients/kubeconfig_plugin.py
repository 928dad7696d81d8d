"""Runs the plugin of a kubeconfig (``exec``), as kubectl does: by the protocol of client.authentication.k8s.io.

The official client (release 35) refuses answers that kubectl takes, takes some that it refuses, and goes by the
terminal of the output, where kubectl goes by the one of the input and by what the kubeconfig says.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from scripts.clients.kubeconfig_file import Cluster, Part, Plugin, explained
from scripts.output import one_line

# A request takes its time to arrive.
_RENEWED_BEFORE: Final = timedelta(seconds=10)
_ZERO: Final = datetime.min.replace(tzinfo=UTC)
_INFORMED: Final = "client.authentication.k8s.io/exec"


def _time(said: object) -> datetime:
    found = datetime.fromisoformat(said) if isinstance(said, str) else None
    if found is None or found.tzinfo is None:
        raise ValueError("must be a time like 2026-12-31T23:59:59Z")
    return found


class _Status(Part):
    token: str = ""
    client_certificate_data: str = Field(default="", alias="clientCertificateData")
    client_key_data: str = Field(default="", alias="clientKeyData")
    expiration_timestamp: Annotated[datetime, BeforeValidator(_time)] | None = Field(
        default=None, alias="expirationTimestamp"
    )


class _Answer(Part):
    api_version: str = Field(default="", alias="apiVersion")
    kind: Literal["ExecCredential"] = "ExecCredential"
    status: _Status = _Status()


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin has answered: a token, or a certificate with its key (PEM), or both."""

    token: str = field(repr=False)
    certificate: str
    key: str = field(repr=False)
    expires: datetime | None

    @property
    def expired(self) -> bool:
        # The first moment is Go's zero time: kubectl takes it for none.
        if self.expires is None or self.expires == _ZERO:
            return False
        return datetime.now(UTC) + _RENEWED_BEFORE > self.expires


def ask(plugin: Plugin, cluster: Cluster) -> Credential:
    """Run the plugin.

    Raises:
        ValueError: it cannot be started, ends with an error, or answers what is no credential.
    """
    answer = _answer(plugin, _run(plugin, cluster))
    status = answer.status
    if bool(status.client_certificate_data) != bool(status.client_key_data):
        raise ValueError(
            f"the plugin {plugin.command} answers one of clientCertificateData and clientKeyData, not both"
        )
    if not status.token and not status.client_key_data:
        raise ValueError(f"the plugin {plugin.command} answers neither a token nor a certificate")
    return Credential(status.token, status.client_certificate_data, status.client_key_data, status.expiration_timestamp)


def _run(plugin: Plugin, cluster: Cluster) -> str:
    terminal = os.isatty(0)
    if plugin.interactive_mode == "Always" and not terminal:
        raise ValueError(
            f"the plugin {plugin.command} asks at a terminal (interactiveMode: Always) and there is none; "
            "run ops in a terminal, or give ops another login"
        )
    asks = terminal and plugin.interactive_mode != "Never"
    try:
        done = subprocess.run(
            [plugin.command, *plugin.args],
            env={**os.environ, **{each.name: each.value for each in plugin.env}, **_told(plugin, cluster, asks=asks)},
            stdin=None if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Where it asks, its questions are there.
            stderr=None if asks else subprocess.PIPE,
            text=True,
            check=False,
        )
    except OSError as error:
        hint = one_line(plugin.install_hint) or "install it, or give its whole path"
        raise ValueError(f"the plugin {plugin.command} cannot be started: {error.strerror}; {hint}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the plugin {plugin.command} answers no ExecCredential: it is no UTF-8 text") from None
    except ValueError as error:
        # A NUL, or a variable with = in its name.
        raise ValueError(
            f"the plugin {plugin.command} cannot be started: {error}; mend exec.args or exec.env"
        ) from None
    if done.returncode != 0:
        raise ValueError(f"the plugin {plugin.command} ends with code {done.returncode}: {one_line(done.stderr or '')}")
    return done.stdout


def _told(plugin: Plugin, cluster: Cluster, *, asks: bool) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": asks}
    if plugin.provide_cluster_info:
        spec["cluster"] = _described(cluster)
    told = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    return {"KUBERNETES_EXEC_INFO": json.dumps(told)}


def _described(cluster: Cluster) -> dict[str, Any]:
    fields = ("server", "tls_server_name", "insecure_skip_tls_verify", "proxy_url", "disable_compression")
    found = cluster.given(*fields, "certificate_authority_data")
    if cluster.certificate_authority:
        content = Path(cluster.certificate_authority).read_bytes()
        found["certificate-authority-data"] = base64.b64encode(content).decode()
    own = [extension.get("extension") for extension in cluster.extensions if extension.get("name") == _INFORMED]
    return {**found, "config": own[0]} if own else found


def _answer(plugin: Plugin, text: str) -> _Answer:
    try:
        answer = _Answer.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(f"the plugin {plugin.command} answers no ExecCredential: {explained(error)}") from None
    if answer.api_version not in ("", plugin.api_version):
        raise ValueError(f"the plugin {plugin.command} answers {answer.api_version}, and not {plugin.api_version}")
    return answer
