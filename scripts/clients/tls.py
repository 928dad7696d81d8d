"""The certificate that an endpoint shows."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

from scripts.exits import CheckFailedError, TemporaryError, UsageError


def split(address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        UsageError: it is none.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{address!r} is no address; write it like dashboard.example.com:443")
    return host.strip("[]"), int(port)


def end(address: str, authority: str | None, seconds: float) -> datetime:
    """When the certificate of ``address`` ends; ``authority`` is a file of CAs instead of the system's.

    Raises:
        CheckFailedError: a client would not accept it: it has ended, is another host's, or nobody vouches for it.
        TemporaryError: nobody answers, or not in TLS.
    """
    host, port = split(address)
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"the file of authorities {authority} cannot be used: {error}") from None
    try:
        with (
            socket.create_connection((host, port), seconds) as connection,
            context.wrap_socket(connection, server_hostname=host) as session,
        ):
            shown = session.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise CheckFailedError(f"{address}: {error.verify_message}") from None
    except OSError as error:
        raise TemporaryError(f"{address}: {error}") from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
