"""Addresses of the settings, refused before a connection that no retry can mend."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from scripts.exits import UsageError

# A name as DNS takes it, and the underscores that some resolvers know besides.
_LABEL: Final = r"\w(?:[\w-]{0,61}\w)?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\.?\Z){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)


def split(address: str, of: str = "") -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; a refusal begins with ``of``.

    Raises:
        UsageError: it is none.
    """
    host, _, port = address.rpartition(":")
    if not _is_host(host.strip("[]")) or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{of}{address!r} is no address; write it like dashboard.example.com:443")
    return host.strip("[]"), int(port)


def check_host(host: str, key: str) -> None:
    """Refuse what can be no host.

    Raises:
        UsageError: it is neither a name nor an IP address; the line names the ``key`` of the settings.
    """
    if not _is_host(host):
        raise UsageError(f"{key} is {host!r}; it must be a name or an IP address, without a scheme or a port")


def is_url(text: str) -> bool:
    """Whether it is the URL of an HTTP server."""
    try:
        parts = urlsplit(text)
        well = parts.scheme in {"http", "https"} and _is_host(parts.hostname or "") and parts.port != 0
        # The parser drops line breaks.
        return well and text.isprintable() and " " not in text
    except ValueError:
        return False


def check_url(url: str, key: str) -> None:
    """Refuse what is no URL of an HTTP server.

    Raises:
        UsageError: the line names the ``key`` of the settings.
    """
    if not is_url(url):
        raise UsageError(f"{key} is {url!r}; it must be a URL like https://host.example.com:9000")


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _NAME.fullmatch(text) is not None
    return True
