"""Readiness probes: one look each, no waiting."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

from local.cluster.daemons import Probe

TIMEOUT_SECONDS = 2.0


def is_ready(probe: Probe) -> bool:
    """Whether the daemon answers its probe now (waits at most TIMEOUT_SECONDS)."""
    try:
        if probe.target.startswith("unix:"):
            return _connects(socket.AF_UNIX, probe.target.removeprefix("unix:"))
        if probe.target.startswith("tcp:"):
            host, _, port = probe.target.removeprefix("tcp:").rpartition(":")
            return _connects(socket.AF_INET, (host, int(port)))
        return _answers(probe)
    except (OSError, http.client.HTTPException, ValueError):
        return False


def _connects(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_SECONDS)
        connection.connect(address)
    return True


def _answers(probe: Probe) -> bool:
    url = urlsplit(probe.target)
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=str(probe.ca_file) if probe.ca_file else None)
        connection = http.client.HTTPSConnection(url.netloc, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", url.path or "/")
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()
