"""Keeps secrets out of everything that the program writes.

Whoever reads a secret announces it with ``hide``; every log line, result and error message goes through ``clean``.
What was never announced but looks like a credential (a password in a URL or in a connection string) is removed by
its form.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
# Shorter texts would mask parts of innocent words and so tell more than they hide.
_SHORTEST: Final = 4

_URL_USERINFO: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@", re.IGNORECASE)
_KEY_VALUE: Final = re.compile(
    r"(?P<key>\b(?:password|passwd|pgpassword|secret|token|aws_secret_access_key|x-amz-security-token)\b\"?\s*[=:]\s*)"
    r"(?P<value>'[^']*'|\"[^\"]*\"|[^\s,;&]+)",
    re.IGNORECASE,
)

_secrets: set[str] = set()


def hide(secret: str | None) -> None:
    """Never let ``secret`` appear in anything that the program writes from now on."""
    if secret and len(secret) >= _SHORTEST:
        _secrets.add(secret)


def clean(text: str) -> str:
    """``text`` without any announced secret and without anything of the form of a credential."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _URL_USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    return _KEY_VALUE.sub(rf"\g<key>{MASK}", text)
