"""Addresses that stand in no settings file, refused before a connection that no retry can mend."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from scripts.exits import UsageError

# A name as DNS takes it, and the underscores that some resolvers know besides.
_LABEL: Final = r"\w(?:[\w-]{0,61}\w)?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\.?\Z){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)


def split(address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        UsageError: it is none.
    """
    host, _, port = address.rpartition(":")
    if not _is_host(host.strip("[]")) or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{address!r} is no address; write it like dashboard.example.com:443")
    return host.strip("[]"), int(port)


def is_url(text: str) -> bool:
    """Whether it is the URL of an HTTP server."""
    try:
        parts = urlsplit(text)
        well = parts.scheme in {"http", "https"} and _is_host(parts.hostname or "") and parts.port != 0
        # The parser drops line breaks.
        return well and text.isprintable() and " " not in text
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _NAME.fullmatch(text) is not None
    return True
