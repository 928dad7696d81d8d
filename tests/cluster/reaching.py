"""How tests reach the system as its users do: by TLS, its name, and the authority that they trust."""

from __future__ import annotations

import base64
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.environment import Environment
from tests.program.settings import load

DOMAIN = load("local").domain


@dataclass(frozen=True, slots=True)
class Page:
    """What a user's browser got."""

    status: int
    body: str


def write_authority(system: Environment, folder: Path) -> Path:
    """The certificate of the cluster's authority, as a user would install it."""
    secret = system.get("secret", "crypto-ca", "--namespace=cert-manager")
    path = folder / "ca.crt"
    path.write_bytes(base64.b64decode(secret["data"]["tls.crt"]))
    return path


def fetch(system: Environment, authority: Path, path: str) -> Page:
    """Asks the ingress controller at the node's address, with the domain's name and only that authority trusted."""
    context = ssl.create_default_context(cafile=str(authority))
    address = (str(system.instance.node_address), 443)
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=DOMAIN) as secured,
    ):
        secured.sendall(f"GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: secured.recv(65536), b"")).decode(errors="replace")
    head, _, body = answer.partition("\r\n\r\n")
    return Page(int(head.split()[1]), body)
