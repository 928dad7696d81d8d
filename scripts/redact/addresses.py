"""Addresses with a user and a password in front of the host."""

from __future__ import annotations

import re
from typing import Final

from scripts.redact.rules import MASK

# RFC 3986. Passwords are found in it as people type them, with every sign; JSON may have escaped the slashes.
_ADDRESS: Final = re.compile(
    r""":(?:\\?/){2}
    (?P<user>[^\s/:@"'`<>\[\]?\#\\]*+(?:@[^\s/:@"'`<>\[\]?\#\\]++)?):
    (?P<rest>(?:[^\s"'`<>:\\]++|:(?!\\?/\\?/))*+)""",
    re.VERBOSE,
)
_PORT: Final = re.compile(r"\d{1,5}(?:[/?#,]|\Z)")
# Their addresses have no path in which an @ could stand.
_STORES: Final = ("postgres", "postgresql", "mysql", "redis", "rediss", "mongodb", "amqp", "amqps", "kafka", "nats")


def masked(text: str) -> str:
    """``text`` without the users and passwords of its addresses."""
    return _ADDRESS.sub(_masked, text) if "://" in text or ":\\/\\/" in text else text


def _masked(found: re.Match[str]) -> str:
    rest, before_query = found["rest"], found["rest"].partition("?")[0]
    port = _PORT.match(rest) is not None
    host = (before_query if port or "@" in before_query else rest).rfind("@")
    store = found.string[max(0, found.start() - 12) : found.start()].endswith(_STORES)
    if host < 0 or (port and not store) or ("@" in found["user"] and "/" in rest[:host]):
        return found[0]
    return f"{found[0][: found.start('user') - found.start()]}{MASK}{rest[host:]}"
