"""Which names are those of secrets: data, and the decision by the words of a name.

``POSTGRES_PASSWORD``, ``dbPassword``, ``X-MBX-APIKEY`` and ``client-key-data`` name secrets. ``passwordFile``,
``secretName``, ``max_tokens`` and ``token_type`` do not.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final


class Kind(Enum):
    """What the value of a name is."""

    HARMLESS = auto()
    # Masked unless it is a status, or names where the value comes from.
    PASSWORD = auto()
    SECRET = auto()
    # Several words, such as those of a wallet.
    PHRASE = auto()
    # A header: the scheme stays.
    HEADER = auto()
    COOKIE = auto()
    # Masked where it is made of random signs.
    PERHAPS = auto()
    # Masked where it is random, and not in the alphabet of a checksum.
    KEY = auto()
    # Its value is a name, and the value of that name follows.
    NAMED = auto()


_PASSWORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "pwd", "pswd", "requirepass", "masterauth",
    "dbpass", "userpass", "rootpass", "adminpass", "sshpass", "storepass", "keypass", "passwords",
)  # fmt: skip
_SECRETS: Final = (
    "secret", "token", "apikey", "accesskey", "secretkey", "privatekey", "privkey", "signingkey", "encryptionkey",
    "decryptionkey", "cipherkey", "cryptkey", "aeskey", "hmackey", "jwtkey", "masterkey", "rootkey", "accountkey",
    "storagekey", "authkey", "sharedkey", "sessionkey", "appkey", "applicationkey", "clientkey", "servicekey",
    "sshkey", "tlskey", "consumerkey", "subscriptionkey", "licensekey", "serverkey", "storedkey", "walletkey",
    "deployerkey", "integrationkey", "functionkey", "writekey", "adminkey", "accesskeyid", "privatekeyid", "apisign",
    "accesssign", "bapisign", "xamzcredential", "xamzsignature", "sharedaccesssignature", "listenkey",
)  # fmt: skip
_PHRASES: Final = (
    "mnemonic", "seedphrase", "seedwords", "recoveryphrase", "backupphrase", "secretphrase", "walletseed",
)  # fmt: skip
# Whole last words; the same signs end other words, too ("bypass", "compass").
_SECRET_WORDS: Final = frozenset({"pass", "pw", "pword"})
_PERHAPS_WORDS: Final = frozenset(
    {
        "auth", "credential", "credentials", "creds", "session", "sessionid", "sid", "phpsessid", "jsessionid", "sig",
        "signature", "sign", "seed", "salt", "nonce", "tokens", "secrets", "jwt", "bearer", "pat", "webhook",
        "otp", "wif",
    }
)  # fmt: skip
_KEY_WORDS: Final = frozenset({"key", "keys", "code"})
# What follows a secret's name and leaves it one.
_STILL: Final = frozenset(
    {
        "value", "val", "string", "str", "text", "plain", "plaintext", "raw", "data", "base", "base64", "b", "encoded",
        "old", "new", "previous", "prev", "current", "primary", "secondary", "backup", "prod", "production", "dev",
        "staging", "test", "main", "live", "root", "admin", "confirm", "confirmation", "hash", "pem", "env", "v", "x",
    }
)  # fmt: skip
# What follows a secret's name and makes it one of something else.
_ABOUT: Final = frozenset(
    {
        "name", "names", "file", "files", "path", "paths", "dir", "ref", "refs", "reference", "type", "types", "kind",
        "encryption", "count", "length", "len", "size", "limit", "limits", "ttl", "age", "expiry", "expires", "expire",
        "expiration", "expired", "policy", "url", "uri", "endpoint", "version", "field", "fields", "format", "mode",
        "manager", "store", "provider", "class", "id", "ids", "selector", "key", "keys", "resource", "algorithm",
        "method", "rotation", "rotated", "updated", "created", "at", "date", "time", "seconds", "required", "enabled",
        "valid", "bucket", "issuer", "audience", "request", "review", "error", "status", "source", "namespace", "label",
    }
)  # fmt: skip
_NOT: Final = (
    "pullsecret", "existingsecret", "nexttoken", "pagetoken", "continuetoken", "continuationtoken", "synctoken",
    "canceltoken", "cancellationtoken", "maxtoken",
)  # fmt: skip
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST: Final = 100


def names_secret(name: str) -> bool:
    """Whether what has this name is a secret, like ``POSTGRES_PASSWORD`` or ``--token``."""
    return kind(name) in (Kind.PASSWORD, Kind.SECRET, Kind.PHRASE, Kind.HEADER, Kind.COOKIE)


def kind(name: str) -> Kind:
    """What the value of ``name`` is."""
    return _kind(name[-_LONGEST:])


@lru_cache(maxsize=4096)
def _kind(name: str) -> Kind:
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return Kind.HARMLESS
    if words in (["name"], ["key"]):
        return Kind.NAMED
    found = _of_words(words)
    if found is not Kind.HARMLESS:
        return found
    after: list[str] = []
    while len(words) > 1:
        after.append(words.pop())
        if _of_words(words) in (Kind.PASSWORD, Kind.SECRET, Kind.PHRASE):
            return _with(_of_words(words), after)
    return Kind.HARMLESS


def _with(found: Kind, after: list[str]) -> Kind:
    """What a secret's name is with other words after it."""
    if any(word in _ABOUT for word in after):
        return Kind.HARMLESS
    return found if all(word in _STILL or word.isdigit() for word in after) else Kind.KEY


def _of_words(words: list[str]) -> Kind:
    joined, last = "".join(words), words[-1]
    if joined.endswith("authorization"):
        return Kind.HEADER
    if last == "cookie":
        return Kind.COOKIE
    if joined.endswith(_PHRASES):
        return Kind.PHRASE
    if joined.endswith(_PASSWORDS):
        return Kind.PASSWORD
    if last in _SECRET_WORDS or joined.endswith(_SECRETS):
        return Kind.HARMLESS if joined.endswith(_NOT) else Kind.SECRET
    return Kind.PERHAPS if last in _PERHAPS_WORDS else Kind.KEY if last in _KEY_WORDS else Kind.HARMLESS
