"""Secrets that what stands around them gives away: statements, headers, elements, files of passwords, sentences.

Each frame is data: where it is from, a pattern with the group ``secret``, and what a text without it lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from scripts.redact import names, values
from scripts.redact.mask import MASK, compiled
from scripts.redact.values import Value

_Check = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a secret; ``certain`` decides where the pattern alone does not."""

    origin: str
    pattern: str
    hints: tuple[str, ...]
    certain: _Check


def masked(text: str) -> str:
    """``text`` without the secrets of these frames."""
    for frame in FRAMES:
        if any(hint in text for hint in frame.hints):
            text = compiled(frame.pattern, re.VERBOSE).sub(partial(_masked, frame.certain), text)
    return text


def _masked(certain: _Check, found: re.Match[str]) -> str:
    if not certain(found):
        return found[0]
    start, end = (at - found.start() for at in found.span("secret"))
    return f"{found[0][:start]}{MASK}{found[0][end:]}"


def _always(_: re.Match[str]) -> bool:
    return True


def _is_value(found: re.Match[str]) -> bool:
    return not values.harmless(Value(0, 0, found["secret"], quoted=True))


def _is_random(found: re.Match[str]) -> bool:
    return values.random(found["secret"])


def _mixed(found: re.Match[str]) -> bool:
    return values.random(found["secret"].rpartition(":")[2]) and not values.checksum(found["secret"])


def _is_login(found: re.Match[str]) -> bool:
    return values.login(found["secret"])


def _like_a_token(found: re.Match[str]) -> bool:
    text = found["secret"]
    mixed = any(map(str.isdigit, text)) or text not in (text.lower(), text.upper(), text.capitalize())
    return _is_value(found) and (mixed or len(text) >= 24)


def _named_secret(found: re.Match[str]) -> bool:
    return names.names_secret(found["name"]) and _is_value(found)


def _named_token(found: re.Match[str]) -> bool:
    return names.names_secret(found["name"]) and _like_a_token(found)


def _of_machine(found: re.Match[str]) -> bool:
    return (found["machine"] is not None and _is_value(found)) or _like_a_token(found)


def _no_command(found: re.Match[str]) -> bool:
    return _is_value(found) and found["secret"].lower() not in ("login", "plain", "command", "commands", "extension")


def _frame(origin: str, pattern: str, hints: str, certain: _Check = _is_value) -> Frame:
    """A frame; there are blanks between the hints, and in the pattern none counts."""
    return Frame(origin, pattern, tuple(hints.split()), certain)


_GAP: Final = r"[ \t]{1,9}"
_MAYBE_GAP: Final = r"[ \t]{0,9}"
_QUOTED: Final = r"(?P<quote>\\*+['\"]) (?P<secret> (?: (?! (?P=quote) ) [^\n] ){1,4096}+ )"
_PART: Final = r"[^\s:]{1,253}+"
_NAME: Final = r"(?P<name> [\w.-]{1,128}+ )"
# The end of a line of Redis's protocol, or how a log shows it.
_CRLF: Final = r"(?: \\r\\n | \r\n )"

FRAMES: Final = (
    _frame(
        "SQL",
        rf"""(?i: \b (?: (?:set_?)? password | passwd | passphrase | crypt (?=\()
            | identified {_GAP} (?: with {_GAP} [\w'"]{{1,64}} {_GAP} (?:by|as) | by ) )
            (?: {_MAYBE_GAP} \( {_MAYBE_GAP} | {_GAP} (?: values {_GAP} )? ) [en]? ) {_QUOTED}""",
        "PASS pass Pass IDENT ident Ident crypt",
    ),
    _frame("SQL, between dollars", rf"(?i: \b password {_GAP} ) \$\w{{0,16}}\$ (?P<secret> [^$\n]++ )", "$"),
    _frame(
        "SQL, for a user",
        rf"""(?i: \b set {_GAP} password {_GAP} for {_GAP} \S{{1,200}} {_MAYBE_GAP} = {_MAYBE_GAP} (?: password\( )? )
            {_QUOTED}""",
        "PASSWORD password",
    ),
    _frame(
        "Go, name of a MySQL source",
        r"(?<! [\w:@/] ) \w[\w.-]{0,63}+ : (?P<secret> [^\s@\"']{1,200}? ) @(?:tcp|unix)\(",
        "@tcp( @unix(",
        _always,
    ),
    _frame("Oracle, JDBC", r":(?:thin|oci8?): [^\s/@\"']{1,64}+ / (?P<secret> [^\s@\"']{1,200}+ ) @", "jdbc:oracle"),
    _frame("RFC 6750", rf"(?i: \b bearer ) {_GAP} (?P<secret> [\w.~+/-]{{8,}}+ =* )", "earer EARER", _like_a_token),
    _frame("RFC 7617", rf"(?i: \b basic ) {_GAP} (?P<secret> [A-Za-z0-9+/]{{4,}}+ ={{0,2}} )", "asic ASIC", _is_login),
    _frame(
        "XML, element",
        rf"< (?: [\w-]{{1,64}}: )? {_NAME} (?: \s [^<>]{{0,200}}+ )? > \s{{0,20}}+ (?P<secret> [^<\s][^<]*+ ) </",
        "</",
        _named_secret,
    ),
    _frame(
        "XML, attribute",
        rf"< \w{{1,64}} [ \t] (?:key|name)= [\"'] {_NAME} [\"'] > (?P<secret> [^<\s][^<]*+ ) </",
        "</",
        _named_secret,
    ),
    _frame(
        "pairs of a list",
        rf"""[(\[] \s{{0,20}} b? (?P<outer> \\*+["'] ) {_NAME} (?P=outer) , \s{{0,20}} b? (?P<quote> \\*+["'] )
            (?i: (?:bearer|basic|token) [ \t] )? (?P<secret> (?: (?! (?P=quote) ) [^\n] ){{1,4096}}+ )
            (?= (?P=quote) \s{{0,20}} [)\]] )""",
        "' \"",
        _named_secret,
    ),
    _frame("tables", rf"\| [ \t]*+ {_NAME} [ \t]*+ \| [ \t]*+ (?P<secret> [^|\s]++ )", "|", _named_token),
    _frame(
        "netrc",
        r"""(?P<machine> \b (?: machine \s{1,20}+ \S{1,253}+ | default ) \s{1,20}+ )?
            \b (?:login|user) \s{1,20}+ [^\s=:]{1,200}+ \s{1,20}+ (?:password|passwd) \s{1,20}+
            (?P<secret> [^\s"']\S*+ )""",
        "login user",
        _of_machine,
    ),
    _frame(
        "PostgreSQL, .pgpass",
        rf"""(?<! [\w.*:/@\\-] ) (?! [0-9a-f]{{1,4}}: ) [\w.*-]{{1,253}}+ : (?: \d{{4,5}} | \* ) : {_PART} : {_PART} :
            (?P<secret> (?: [^\s"'\\] | \\. ){{4,}}+ )""",
        ":",
    ),
    _frame(
        "Redis, AUTH",
        rf"""\b AUTH {_GAP} (?: [^\s"']{{1,200}} {_GAP} )? (?P<secret> [^\s"']{{1,512}}+ )
            (?= [ \t]*+ (?: ["'\n\r] | SETNAME | \Z ) )""",
        "AUTH",
        _no_command,
    ),
    _frame(
        "Redis, AUTH in quotes",
        rf"(?i: \"auth\" ) {_GAP} (?: \"[^\"\n]{{1,200}}\" {_GAP} )? \" (?P<secret> [^\"\n]++ ) \"",
        '"auth" "AUTH"',
    ),
    _frame(
        "Redis, protocol",
        rf"""(?<! [A-Z] ) AUTH (?: {_CRLF} \$\d{{1,5}} {_CRLF} [^\s\\*]{{1,200}}+ )?? {_CRLF} \$\d{{1,5}} {_CRLF}
            (?P<secret> [^\s\\]++ ) (?! {_CRLF} \$ )""",
        "AUTH",
    ),
    _frame(
        "Redis, settings",
        r"(?i: \b (?:requirepass|masterauth) ) [ \t\"']{1,9} (?P<secret> [^\s\"']++ )",
        "requirepass masterauth REQUIREPASS",
    ),
    _frame(
        "Redis, ACL",
        r"""(?: (?i: \b setuser ) | \b user [ \t] [^\s>]{1,200} [ \t] (?:on|off) )
            [^\n>]{0,200}? [\s"'] > (?P<secret> [^\s"']++ )""",
        "SETUSER setuser user",
    ),
    _frame(
        "Redis, Sentinel",
        rf"(?i: \b auth-pass ) {_GAP} \S{{1,200}} {_GAP} (?P<secret> \S++ )",
        "auth-pass AUTH-PASS",
    ),
    _frame(
        "Oracle",
        rf"(?i: \b identified {_GAP} by ) {_GAP} (?P<secret> [^\s\"';]{{4,}}+ )",
        "dentified IDENTIFIED",
        _like_a_token,
    ),
    _frame(
        "Oracle, programs",
        r"\b (?:sqlplus|impdp|expdp|sqlldr) [ \t] [^\n/]{0,64}+ / (?P<secret> [^\s@\"'/]{1,200}+ ) @",
        "sqlplus impdp expdp sqlldr",
    ),
    _frame(
        "Kafka, PlainLoginModule",
        r"\b user_[\w.-]{1,128}+ = (?P<quote> \\*+[\"'] ) (?P<secret> [^\"'\\\n]++ )",
        "user_",
    ),
    _frame(
        "settings of AWS and Pulumi",
        rf"""\b (?:configure|config) {_GAP} set {_GAP} (?: --[\w-]{{1,32}} {_GAP} ){{0,4}}
            (?: [^\s=]{{1,200}}: )? {_NAME} {_GAP} ["']? (?P<secret> [^\s"']{{1,4096}}+ )""",
        "config",
        _named_secret,
    ),
    _frame(
        "shell",
        rf"""\b echo {_GAP} (?: -n[ \t] )? ["']? (?P<secret> [^\s"'|]{{1,512}}+ ) ["']? {_MAYBE_GAP}
            \| [^\n|]{{0,120}} -stdin""",
        "-stdin",
    ),
    _frame("Python, requests", rf"\b auth=\( [\"'] [^\"'\n]{{0,200}} [\"'] , [ ]? {_QUOTED}", "auth=("),
    _frame(
        "address in an address",
        r"(?i: %3a%2f%2f ) (?P<secret> [^\s@/&\"']{1,500}? ) %40",
        "%3A%2F%2F %3a%2f%2f",
        _always,
    ),
    _frame("token in an address", r":// (?P<secret> [\w-]{16,}+ ) @", "://", _is_random),
    _frame("Redis, address", r"\b rediss?:// (?P<secret> [^\s/:@\"'<>]{1,512}+ ) @", "redis", _like_a_token),
    _frame(
        "sentences, in quotes",
        r"""(?i: \b (?: token | api[ _-]?key | secret ) ) [ \t]
            (?P<quote> ["'`] ) (?P<secret> [\w.~+/=-]{16,512}+ ) (?P=quote)""",
        "oken ey ecret",
        _is_random,
    ),
    _frame(
        "sentences",
        rf"""(?i: \b (?: password | passwd | passphrase | pwd | pw | api[ _-]?key | token | secret ) ) {_GAP}
            (?: is | was | to | => | -> ) {_MAYBE_GAP} :? {_MAYBE_GAP} ["'`]? (?P<secret> [^\s"'`]{{4,}}+ )""",
        "ass ASS pw PW ey oken ecret",
        _like_a_token,
    ),
    _frame(
        "sentences, without a verb",
        r"""(?i: \b (?: api[ _-]?key | token | secret | pw | pwd | credentials? ) ) [ \t]{1,4}
            (?P<secret> [\w.~+/=:-]{12,}+ )""",
        "ey EY oken OKEN ecret ECRET pw PW redential",
        _mixed,
    ),
    _frame(
        "columns",
        r"""(?i: passw(?:or)?d | passphrase | _pwd ) [ \t]{1,40}
            (?P<secret> (?= [^\s\d]{0,64} \d ) (?= [^\sA-Za-z]{0,64} [A-Za-z] ) [^\s"'`=:]{6,}+ ) (?! [=:] )""",
        "ass ASS pwd PWD",
    ),
)
