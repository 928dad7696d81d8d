"""Keeps secrets out of everything that the program writes.

Whoever reads a secret announces it with ``hide``; every log line, result and error message goes through ``clean``.
What was never announced but looks like a credential (a password in a URL or in a connection string) is removed by
its form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, cast

MASK: Final = "***"
# Shorter texts would mask parts of innocent words and so tell more than they hide.
_SHORTEST: Final = 4

_URL_USERINFO: Final = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+@")
_NAMES: Final = r"(?:password|passwd|secret|token|(?:api|access|private|routing|encryption)[_-]?key|authorization)"
# What closes the sentence or the JSON around an unquoted value does not belong to it.
# No word boundary before the name: POSTGRES_PASSWORD and access_token are secrets too. Nothing after it but quotes:
# passwordFile and secretName are none.
_KEY_VALUE: Final = re.compile(
    rf"(?P<key>{_NAMES}(?:\\*[\"'])?[ \t]*[=:][ \t]*)"
    r"(?P<value>'[^']*'|\\*\"[^\"]*\"|(?:(?:bearer|basic)[ \t]+)?[^\s,;&]*[^\s,;&\"'\\}\])])",
    re.IGNORECASE,
)
_SECRET_NAME: Final = re.compile(rf"{_NAMES}$", re.IGNORECASE)
# What gives itself away by its form, wherever it stands: bearer tokens, JWTs, private keys, webhooks.
_FORMS: Final = (
    re.compile(r"(?<=\bbearer )[\w.~+/-]{8,}=*", re.IGNORECASE),
    re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"),
    re.compile(r"(?<=-----BEGIN )[A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\bAGE-SECRET-KEY-1[A-Z0-9]+"),
    re.compile(r"(?<=hooks\.slack\.com/)[\w/-]+"),
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
    text = _URL_USERINFO.sub(f"{MASK}@", text)
    for form in _FORMS:
        text = form.sub(MASK, text)
    return _KEY_VALUE.sub(rf"\g<key>{MASK}", text)


def plain(value: object) -> object:
    """Plain data with every text in it cleaned, and with the values of secret names left out.

    Cleaning the parts and not the JSON of the whole leaves the JSON whole.
    """
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {str(key): MASK if _is_secret(key, found) else plain(found) for key, found in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(found) for found in cast("Iterable[object]", value)]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean(str(value))


def names_secret(name: str) -> bool:
    """Whether what has this name is a secret, like ``POSTGRES_PASSWORD`` or ``--token``."""
    return _SECRET_NAME.search(name) is not None


def _is_secret(name: object, value: object) -> bool:
    return isinstance(value, str) and bool(value) and names_secret(str(name))
