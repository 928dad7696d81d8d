"""TLS: what no retry can mend, and the certificate that an endpoint shows."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Final

from scripts.clients import addresses
from scripts.exits import CheckFailedError, TemporaryError, UsageError

# What another attempt may mend: the peer's own trouble, and bytes that were lost.
_PASSING: Final = ("INTERNAL_ERROR", "BAD_RECORD_MAC", "UNEXPECTED_EOF", "TIMED_OUT")


def mistaken(error: BaseException | None) -> bool:
    """Whether the reason of an error is TLS that no retry can mend.

    That is a certificate that one of the two sides does not trust, a file that holds no certificate or key, or a peer
    that speaks no TLS.
    """
    while error is not None:
        if isinstance(error, ssl.SSLError):
            lost = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
            return not isinstance(error, lost) and not any(
                word in str(error.reason or "TIMED_OUT") for word in _PASSING
            )
        error = error.__cause__ or error.__context__
    return False


def context(authority: str | None, key: str) -> ssl.SSLContext:
    """How a client checks a server: by the authorities in a file, which ``key`` names, else by those of the machine.

    Raises:
        UsageError: the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise UsageError(f"{key} is {authority!r}, which cannot be used: {error.strerror or error}") from None


def end(address: str, authority: str | None, seconds: float) -> datetime:
    """When the certificate of ``address`` ends; ``authority`` is a file of CAs instead of the system's.

    Raises:
        CheckFailedError: a client would not accept it: it has ended, is another host's, or nobody vouches for it.
        TemporaryError: nobody answers, or not in TLS.
    """
    host, port = addresses.split(address)
    trust = context(authority, "the file of authorities")
    try:
        with (
            socket.create_connection((host, port), seconds) as connection,
            trust.wrap_socket(connection, server_hostname=host) as session,
        ):
            shown = session.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise CheckFailedError(f"{address}: {error.verify_message}") from None
    except OSError as error:
        raise TemporaryError(f"{address}: {error}") from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
