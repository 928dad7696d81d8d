"""Where the value behind a key begins and ends, and which values are none."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from scripts.redact.names import Kind

# What a log, a description or a comment says in the place of a secret.
_STATUS: Final = frozenset(
    {
        "a", "access", "an", "and", "any", "are", "as", "at", "authenticated", "authentication", "authorization",
        "aws4-hmac-sha256", "bad", "basic", "be", "bearer", "been", "bool", "boolean", "but", "by", "bytes", "cannot",
        "changed", "check", "checking", "context", "could", "created", "default", "deleted", "denied", "digest",
        "disabled", "does", "doesn", "empty", "enabled", "encountered", "error", "exceeded", "exists", "expected",
        "expiration", "expired", "expires", "failed", "failure", "false", "filtered", "float", "for", "forbidden",
        "found", "from", "generated", "get", "got", "granted", "had", "has", "have", "hidden", "if", "illegal", "in",
        "include", "incorrect", "int", "integer", "internal", "invalid", "is", "issued", "it", "its", "jwt", "length",
        "long", "malformed", "masked", "mismatch", "missing", "must", "negotiate", "nil", "no", "none", "not", "null",
        "number", "object", "of", "oidc", "ok", "old", "omitted", "on", "only", "optional", "or", "permission",
        "policy", "present", "problem", "rbac", "read", "redacted", "refreshed", "refused", "rejected", "removed",
        "required", "reset", "revoked", "rotated", "rpc", "same-origin", "secretstr", "seems", "sensitive", "set",
        "shall", "short", "should", "signature", "some", "str", "string", "succeeded", "success", "text", "the", "this",
        "to", "token", "tokens", "too", "true", "type", "unable", "unauthenticated", "unauthorized", "unchanged",
        "undefined", "unexpected", "unknown", "unset", "unsupported", "unverified", "updated", "use", "used", "user",
        "uses", "using", "valid", "value", "verification", "was", "wasn", "were", "when", "while", "will", "with",
        "without", "would", "wrong", "yes", "you", "your",
    }
)  # fmt: skip
# A variable, a template, or what a reader is to put there.
_PLACEHOLDER: Final = re.compile(
    r"\[(?i:secret|secure)\]|\*+|x{3,}|X{3,}|\.{3,}|-+|\$[A-Z_][A-Z0-9_]*|\$\{[^{}]*\}|"
    r"\$?\{\{(?:[^{}]*\}\})?|\{[a-z_.]*\}|\{[A-Za-z][\w-]*:|\$\([^()]*\)|"
    r"%\([a-z_]+\)s|%[a-z]|<[A-Za-z][A-Za-z '_-]*>?"
)
# A file or a folder, written as most are, or a link: what is secret in one has a key or a frame of its own.
_PATH: Final = re.compile(
    r"https?://.*|(?:~|\.{1,2})?(?:/[a-z0-9._-]+){2,}/?|[a-z0-9_-]+\.(?:key|pem|crt|txt|json|yaml|yml|env)"
)
# Source in a traceback: a call, an attribute, an item.
_CODE: Final = re.compile(
    r"(?:self|cls|os|args|config|settings|options|environ|request|login|target|cfg|opts)\.[A-Za-z_].*|"
    r"[a-z_]+(?:\.[a-z_]+)*[(\[].*"
)
_SCHEME: Final = re.compile(
    r"(?i:bearer|basic|token|apikey|api-key|key|bot|negotiate|ntlm|digest|hmac|oauth|splunk|sso-key|genie_?key)"
    r"[ \t]++(?=\S)"
)
_OPENING: Final = re.compile(
    r"[ \t]*+(?:!{1,2}[a-z]{1,16}[ \t]++(?=\S))?(?:[bBrRuUfFeE]{1,2}(?=\\*[\"']))?(?P<escapes>\\*+)(?P<quote>[\"'`]?)"
)
# A sign that ends most values is part of one unless the next key, the end or a bracket follows it.
_BARE: Final = re.compile(
    r"""(?:
        [^\s"'`&;,\\<]++
        | ["'`](?![\s,;:)}\]&\\"'`.>|]|\Z)
        | &(?!\s|\Z|[\w.%\[\]-]{1,64}=|["'])
        | [;,](?!\s|\Z|[\w.-]{1,64}[=:]|["'{}\[\]()])
        | \\(?![nrt][\w.-]{0,64}[ \t]{0,4}[=:]|[nrt]?(?:\s|\Z|\\|["'`]))
        | <(?!/)
    )*+""",
    re.VERBOSE,
)
_QUOTES: Final = {quote: re.compile(rf"(?<!\\)\\*+{quote}") for quote in "\"'`"}
_RANDOM: Final = re.compile(r"[A-Za-z0-9+/]{16,}")
_CHECKSUM: Final = re.compile(
    r"(?:sha\d+[:-])?(?:[0-9a-f]{7,128}|[0-9A-F]{7,128})|"
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
# Twelve words or more, as those of a wallet.
PHRASE: Final = re.compile(r"[ \t]*+[\"'\\]{0,4}+(?P<words>[a-z]{3,8}(?: [a-z]{3,8}){11,23})(?![^\s\"'\\,.])")
_LOGIN: Final = re.compile(r"(?!sha\d|md5)[\w.@-]{1,64}+:(?=[^\d\s]{0,64}\d)(?=[^A-Za-z\s]{0,64}[A-Za-z])[^\s:/]{6,}")
_AFTER_VALUE: Final = " \t,;})]:&"


@dataclass(frozen=True, slots=True)
class Value:
    """A value and where it stands; ``quoted`` is false where nothing says where it ends."""

    start: int
    end: int
    text: str
    quoted: bool


class Line:
    """Knows where the present line ends, without looking for the end of a long one again and again."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = -1

    def end(self, at: int) -> int:
        """The end of the line that ``at`` is in; it never goes back."""
        if at > self._end:
            found = self._text.find("\n", at)
            self._end = len(self._text) if found < 0 else found
        return self._end


def read(text: str, at: int, line: Line, *, scheme: bool = False) -> Value:
    """The value that begins at ``at``, after blanks; with ``scheme``, after the word that says how it is used."""
    opening = _OPENING.match(text, at)
    assert opening is not None  # noqa: S101 - it matches everywhere
    found = _quoted(text, opening, line.end(at)) if opening["quote"] else bare(text, opening.start("escapes"))
    before = _SCHEME.match(text, found.start) if scheme else None
    if before is None:
        return found
    if not found.quoted:
        return bare(text, before.end())
    start = min(before.end(), found.end)
    return Value(start, found.end, text[start : found.end], quoted=True)


def bare(text: str, start: int) -> Value:
    """The value without quotes that begins at ``start``; what closes the sentence around it does not belong to it."""
    found = _BARE.match(text, start)
    end = start if found is None else found.end()
    shown = (
        text[start:end].rstrip(").]},:;>\\\"'`") if end - start < 3 or text[start] not in "<{[($" else text[start:end]
    )
    return Value(start, start + len(shown), shown, quoted=False)


def _quoted(text: str, opening: re.Match[str], line_end: int) -> Value:
    start = opening.end()
    # Here the quote of an outer text ends, and the value is empty.
    if text[start : start + 1] in ("", "\n") or (
        text[start] in _AFTER_VALUE and text[opening.start("quote") - 1] in "=:"
    ):
        return Value(start, start, "", quoted=True)
    end = _closing(text, start, opening, line_end)
    return Value(start, end, text[start:end], quoted=True)


def _closing(text: str, start: int, opening: re.Match[str], line_end: int) -> int:
    """Where the quoted text ends; one that was cut off ends with its line."""
    depth, quote, skipped = len(opening["escapes"]), opening["quote"], -1
    for found in _QUOTES[quote].finditer(text, start, line_end):
        at, signs = found.end() - 1, found.end() - found.start() - 1
        # A text that is quoted again has its backslashes and quotes escaped: each is 0, 1, 3 or 7 deep.
        if at == skipped or (signs % (2 * (depth + 1)) != depth and signs > depth):
            continue
        if quote == "'" and at > start and text[at + 1 : at + 2] == quote:
            # SQL and YAML write it twice.
            skipped = at + 1
            continue
        return at - depth
    return start + len(text[start:line_end].rstrip())


def harmless(value: Value) -> bool:
    """Whether this stands where a secret could, and is none."""
    text = value.text.strip()
    if not text or text.lower().strip(".!:;,()[]") in _STATUS or _PLACEHOLDER.fullmatch(text):
        return True
    return not value.quoted and (_PATH.fullmatch(text) or _CODE.fullmatch(text)) is not None


def secret(value: Value, kind: Kind) -> bool:
    """Whether this is the secret that a name of this kind promises."""
    text = value.text.strip()
    if kind is Kind.HARMLESS or harmless(value):
        return False
    if kind is Kind.PERHAPS:
        return random(text) or user_and_password(text)
    if kind in (Kind.KEY, Kind.NAMED):
        return random(text) and not checksum(text)
    # A count or the key of a keyboard is no token.
    return kind is Kind.PASSWORD or not (len(text) < 3 or (text.isdigit() and len(text) < 6))


def random(text: str) -> bool:
    """Whether ``text`` is one long word of letters and digits, or the base64 of a login."""
    found = _RANDOM.search(text)
    dense = found is not None and any(map(str.isdigit, found[0])) and any(map(str.isalpha, found[0]))
    return not any(map(str.isspace, text)) and (dense or login(text))


def checksum(text: str) -> bool:
    """Whether ``text`` is in the alphabet of a checksum or of an id, or in no other than small letters and digits."""
    return _CHECKSUM.fullmatch(text) is not None or text == text.lower()


def login(text: str) -> bool:
    """Whether ``text`` is a user and a password in base64."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in found and found.isascii() and found.decode("ascii").isprintable()


def user_and_password(text: str) -> bool:
    """Whether ``text`` is like ``user:pa55word``."""
    return _LOGIN.fullmatch(text) is not None
