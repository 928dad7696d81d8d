"""Which values are secrets: by their shape, or by the name under which they stand.

``DB_PASS`` and ``--redis-auth`` name secrets; ``TOKENIZERS_PARALLELISM`` and ``PASSWORD_MIN_LENGTH`` do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

_ENDS: Final = (
    *("password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential", "mnemonic"),
    *("apikey", "privatekey", "secretkey", "accesskey", "signingkey", "encryptionkey", "authkey", "masterkey"),
)
_WHOLE: Final = frozenset({"pass", "pw", "creds", "requirepass", "dbpass"})
_KEYS: Final = frozenset(
    {
        *("api", "private", "secret", "access", "signing", "encryption", "auth", "master", "shared", "account"),
        *("hmac", "jwt", "license", "session", "storage"),
    }
)
# What follows a secret's name and says that the value is about it.
_ABOUT: Final = frozenset(
    {
        *("file", "path", "dir", "name", "length", "min", "max", "ttl", "seconds", "minutes", "hours", "days", "ms"),
        *("timeout", "expiry", "lifetime", "interval", "age", "limit", "count", "size", "parallelism", "required"),
        *("enabled", "disabled", "url", "uri", "addr", "address", "host", "port", "endpoint", "issuer", "audience"),
        *("algorithm", "alg", "type", "kind", "format", "prefix", "header", "policy", "provider", "store", "manager"),
        *("backend", "class", "region", "version", "field", "rotation", "mode"),
    }
)
_EXTENSIONS: Final = frozenset({"txt", "env", "json", "yaml", "yml", "conf", "cfg", "ini", "pem"})
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PLAIN: Final = re.compile(r"(?i)(?:true|false|yes|no|on|off|none|null|-?[0-9]{1,6}(?:\.[0-9]+)?(?:ms|[smhd])?)?")
# Filled in when the program starts, or by whoever installs it.
_FILLED_IN: Final = re.compile(r"\$[({A-Za-z_]|<[^>]*>$|\{\{|%\(|\*+$|x+$")
_SHAPES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("an address with a password", re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:([^\s/@]+)@")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*(PRIVATE KEY)")),
    ("an access key of AWS", re.compile(r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b")),
    ("a token of GitHub", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})")),
    ("a token of GitLab", re.compile(r"\b(glpat-[A-Za-z0-9_-]{20})")),
    ("a token of Slack", re.compile(r"\b(xox[abprs]-[A-Za-z0-9-]{10,})")),
    ("a key of Stripe", re.compile(r"\b([sr]k_live_[A-Za-z0-9]{16,})")),
    ("a key of Google", re.compile(r"\b(AIza[A-Za-z0-9_-]{35})")),
    ("a signed token", re.compile(r"\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})")),
)
_ASSIGNED: Final = re.compile(
    r"^[ \t]*([A-Za-z][A-Za-z0-9_.-]{0,100})[ \t]*[=:][ \t]*[\"']?([^\s\"'#;,]{1,500})[\"']?[ \t]*$", re.MULTILINE
)


def shape(text: str) -> str | None:
    """What secret the text holds, by the shape that its issuer gives it; None where it holds none."""
    for name, pattern in _SHAPES:
        if any(not _FILLED_IN.match(found) for found in pattern.findall(text)):
            return name
    return None


def named(name: str, value: str | None) -> bool:
    """Whether the value under a name is a secret by the name; None: a value that is no text, or hidden."""
    if value is not None and (value == "" or _FILLED_IN.match(value)):
        return False
    kind = _kind(name)
    if kind == "":
        # A working directory is one too, and a flag.
        return value is None or not (_PLAIN.fullmatch(value) and not value.isdigit())
    if kind == "auth":
        return value is not None and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return False


@lru_cache(maxsize=4096)
def _kind(name: str) -> str | None:
    """Empty for the name of a secret, ``auth`` for one that may be, None for another."""
    words = [word.lower() for word in _WORD.findall(name)]
    while words and (words[-1].isdigit() or words[-1] in _EXTENSIONS):
        words.pop()
    if not words or words[-1] in _ABOUT:
        return None
    if words[-1] == "auth":
        return "auth"
    return "" if any(_is_secret(words, position) for position in range(len(words))) else None


def _is_secret(words: Sequence[str], position: int) -> bool:
    word = words[position]
    last = position == len(words) - 1
    if word in ("key", "keys"):
        return last and position > 0 and words[position - 1] in _KEYS
    if word == "pwd" and len(words) == 1:
        return False  # the shell's working directory
    if word in _WHOLE:
        return last
    # The plural of a token counts them.
    return word.endswith(_ENDS) or (last and word.removesuffix("s").endswith(_ENDS) and word != "tokens")


def options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options of a command line with their values: ``--name=value``, ``--name value``, ``NAME=value``."""
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if equals and _is_name(option):
            yield option, value
        elif argument.startswith("--") and position + 1 < len(arguments):
            following = arguments[position + 1]
            if not following.startswith("-"):
                yield argument, following


def _is_name(text: str) -> bool:
    return text.lstrip("-").replace("-", "_").replace(".", "_").isidentifier()


def assigned(text: str) -> Iterable[str]:
    """The names of secrets that lines of a file set: ``db.password = ...``."""
    return (
        name
        for name, value in _ASSIGNED.findall(text)
        if not value.startswith(("/", "file:", "$", "{")) and _ends_as_secret(name) and named(name, value)
    )


def _ends_as_secret(name: str) -> bool:
    """Whether the last word is the secret's: ``password_encryption`` is a setting of what knows passwords."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(words) and _is_secret(words, len(words) - 1)
